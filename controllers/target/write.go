// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/controllers/metrics"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// attempt is what came of a look at a target.
type attempt struct {
	plan    netpol.Plan
	waits   bool      // the first write waits for the names; nothing was tried
	repairs bool      // only repairs are due, and they wait for retryAt; nothing was tried
	behind  bool      // somebody wrote or deleted since we read; tried again at retryAt
	retryAt time.Time // zero: nothing to wait for
	// vanishes: the namespace is being deleted, and the policy goes with it.
	vanishes bool
	err      error // of the write that failed
	// What was written: along are objects in which nothing but pools' addresses changed.
	exact, along cost
}

// errStale means that the cache did not show yet what the API server has; the situation has the live object now.
var errStale = errors.New("the cache is behind the API server")

// write carries out the plan, where its time has come.
func (r *Reconciler) write(ctx context.Context, s *situation, plan netpol.Plan, now time.Time) attempt {
	done := attempt{plan: plan}
	if at := firstWriteAt(s); at.After(now) {
		done.waits, done.retryAt = true, at
		return done
	}
	m := s.memory
	m.contest.only(plan.Objects)
	if at := m.contest.nextRepair(); at.After(now) && m.written.repairsOnly(s.live, plan.Steps) {
		done.repairs, done.retryAt = true, at
		return done
	}
	s.why = reasonToWrite(s, plan.Steps)
	m.written.generation = s.policy.Generation // from now on its writes are paced, whether they succeed or not
	done.err = r.carryOut(ctx, s, &done, now)
	if errors.Is(done.err, errStale) {
		done.plan = r.compile(s, now)
		done.err = r.carryOut(ctx, s, &done, now)
	}
	switch outcome := metrics.OutcomeOf(done.err); {
	case outcome == metrics.Terminating:
		done.err, done.vanishes = nil, true
	case outcome == metrics.Conflict, errors.Is(done.err, errStale):
		// The watch will bring it; the retry is for a watch that hangs.
		done.err, done.behind, done.retryAt = nil, true, now.Add(time.Second)
	}
	return done
}

// reasonToWrite says why this process is about to write, for the log.
func reasonToWrite(s *situation, steps []netpol.Step) string {
	w := &s.memory.written
	switch {
	case w.generation == 0 && len(s.owned()) > 0:
		return whyStart
	case w.generation != s.policy.Generation:
		return whySpec
	case slices.ContainsFunc(steps, func(step netpol.Step) bool { return w.drifted(s.live, step.Object.Name) }):
		return whyRepair
	}
	return whyAnswers
}

// carryOut writes the steps in their order and stops at the first failure: what comes later may take away what an earlier
// one was to add. For the same reason nothing is deleted after an answer that differs from what was sent.
func (r *Reconciler) carryOut(ctx context.Context, s *situation, done *attempt, now time.Time) error {
	versions := map[string]string{} // of what this plan wrote: it may write one object twice
	m, exact := s.memory, s.exactAddresses()
	for _, step := range done.plan.Steps {
		name := step.Object.Name
		if step.Verb == netpol.Delete && m.contest.alters() {
			return nil
		}
		if version, ok := versions[name]; ok {
			step.Object.ResourceVersion = version
		}
		before, repair := s.find(name), m.written.drifted(s.live, name)
		answer, err := r.send(ctx, s, step)
		if err != nil {
			return err
		}
		versions[name] = answer.ResourceVersion
		change := changeOf(step.Verb, before, answer)
		if change.spares(exact) {
			done.along.add(step.Size())
		} else {
			done.exact.add(step.Size())
		}
		if repair {
			m.contest.repaired(name, now)
		}
		if step.Verb == netpol.Delete {
			m.written.deleted(name)
			m.contest.answered(name, "", now)
		} else {
			m.written.sent(step.Object, answer)
			m.contest.answered(name, netpol.Differs(step.Object, answer), now)
		}
		s.take(step.Verb, answer)
		r.trace(ctx, s, &done.plan, step.Verb, change, answer)
	}
	return nil
}

// send does one step and returns what the API server answered: what it has now, or what it deleted.
func (r *Reconciler) send(ctx context.Context, s *situation, step netpol.Step) (*networkingv1.NetworkPolicy, error) {
	if !r.fence.Steady(r.clock.Now()) {
		return nil, errStopped
	}
	if err := r.mayAdopt(ctx, s, step); err != nil {
		return nil, err
	}
	np := step.Object.DeepCopy()
	err := r.timed(s, func() error {
		switch step.Verb {
		case netpol.Create:
			return r.api.Client.Create(ctx, np, client.FieldOwner(FieldManager))
		case netpol.Update:
			return r.api.Client.Update(ctx, np, client.FieldOwner(FieldManager))
		default:
			return r.api.Client.Delete(ctx, np, client.Preconditions{UID: &np.UID, ResourceVersion: &np.ResourceVersion})
		}
	})
	r.metrics.Wrote(step.Verb, err)
	switch {
	case apierrors.IsAlreadyExists(err):
		if err := r.takeHidden(ctx, s, step.Object.Name); err != nil {
			return nil, err
		}
		return nil, errStale
	case err != nil && step.Verb == netpol.Delete:
		err = client.IgnoreNotFound(err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s NetworkPolicy %s: %w", gerund(step.Verb), step.Object.Name, err)
	}
	return np, nil
}

// timed runs a write, and lets nobody wait for the target once that takes long.
func (r *Reconciler) timed(s *situation, write func() error) error {
	owner := s.key.Owner
	timer := r.clock.AfterFunc(slowWrite, func() { r.book.SetHealthy(owner, false) })
	err := write()
	s.memory.health.slow = !timer.Stop()
	if s.memory.health.slow {
		s.memory.health.unhealthy = true // as the timer told the book, or is about to
	}
	return err
}

// mayAdopt asks the API server for the policy before its owner reference is put on a NetworkPolicy that has none, as
// Kubernetes' own controllers do. A policy that is deleted with --cascade=orphan loses its objects first, and the cache may
// show that before it shows the deletion: the reference to a policy that is going would have the object collected.
func (r *Reconciler) mayAdopt(ctx context.Context, s *situation, step netpol.Step) error {
	before := s.find(step.Object.Name)
	if step.Verb != netpol.Update || before == nil || netpol.OwnershipOf(before, netpol.IdentityOf(s.policy)) != netpol.Adoptable {
		return nil
	}
	live := &v1alpha1.FQDNEgressPolicy{}
	if err := r.api.Live.Get(ctx, client.ObjectKeyFromObject(s.policy), live); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("reading the policy before NetworkPolicy %s becomes its own: %w", step.Object.Name, err)
	}
	if live.UID != s.policy.UID || !live.DeletionTimestamp.IsZero() {
		return errStale
	}
	return nil
}

// takeHidden reads a NetworkPolicy that exists although the cache does not show it, and adds it to the situation: whose it is
// decides what becomes of it.
func (r *Reconciler) takeHidden(ctx context.Context, s *situation, name string) error {
	np := networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: s.policy.Namespace, Name: name}}
	if err := r.api.Live.Get(ctx, client.ObjectKeyFromObject(&np), &np); err != nil {
		return fmt.Errorf("reading NetworkPolicy %s, which exists already: %w", name, err)
	}
	s.take(netpol.Update, &np)
	return nil
}

func gerund(v netpol.Verb) string {
	switch v {
	case netpol.Create:
		return "creating"
	case netpol.Update:
		return "updating"
	case netpol.Delete:
		return "deleting"
	}
	return string(v)
}
