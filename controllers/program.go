// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// programmed is what came of writing.
type programmed struct {
	plan    netpol.Plan
	wrote   bool      // at least one NetworkPolicy was written
	held    bool      // the writes wait for retryAt
	retryAt time.Time // zero: nothing to wait for
	err     error     // of the write that failed
}

// errStale means that the cache did not show yet what the API server has; the live object is in the observation now.
var errStale = errors.New("the cache is behind the API server")

// program decides what to write and writes it, at the pace that the policy has left.
func (r *PolicyReconciler) program(ctx context.Context, in observation, now time.Time) programmed {
	done := programmed{plan: netpol.Compile(in.input, now)}
	if at := in.memory.paceOf(in, done.plan.Steps, now); at.After(now) {
		done.held, done.retryAt = true, at
		r.Metrics.limitHit(limitWriteBudget)
		return done
	}
	in.memory.generation = in.policy.Generation // from now on its writes are paced, whether they succeed or not
	done.wrote, done.err = r.apply(ctx, &in, done.plan.Steps, now)
	if errors.Is(done.err, errStale) {
		done.plan = netpol.Compile(in.input, now)
		done.wrote, done.err = r.apply(ctx, &in, done.plan.Steps, now)
	}
	switch {
	case apierrors.HasStatusCause(done.err, corev1.NamespaceTerminatingCause):
		done.err = nil // the policy goes with its namespace
	case apierrors.IsConflict(done.err), errors.Is(done.err, errStale):
		// Somebody wrote since we read; the watch will bring it, the retry is for a watch that hangs.
		done.err, done.held, done.retryAt = nil, true, now.Add(time.Second)
	case done.err == nil:
		in.memory.carried = done.plan.Left
		in.memory.know(ownedBy(in.policy, in.live))
		done.retryAt = in.memory.contest.settle(now)
	}
	return done
}

// paceOf returns when the steps may go out. Edits of the spec and repairs go at once; repairs of a contested object,
// and address writes of a policy whose addresses never rest, wait.
func (m *memory) paceOf(in observation, steps []netpol.Step, now time.Time) time.Time {
	if len(steps) == 0 || m.generation != in.policy.Generation {
		return time.Time{}
	}
	drifted, changed := false, false
	for _, s := range steps {
		drifted = drifted || m.driftedFrom(in.live, s.Object.Name)
		changed = changed || s.Verb == netpol.Delete || m.written[s.Object.Name] != fingerprintOf(s.Object)
	}
	switch {
	case drifted && !changed:
		return m.contest.nextRepair()
	case drifted && !m.contest.on:
		return time.Time{}
	}
	return m.takeBudget(now)
}

// know takes NetworkPolicies that needed no write, after a start, as if this process had written them: from now on a
// change of them is drift.
func (m *memory) know(live []networkingv1.NetworkPolicy) {
	for i := range live {
		if _, ok := m.written[live[i].Name]; !ok {
			m.written[live[i].Name] = fingerprintOf(&live[i])
		}
	}
}

// driftedFrom tells whether the named NetworkPolicy is not as we wrote it; one that we never wrote did not drift.
func (m *memory) driftedFrom(live []networkingv1.NetworkPolicy, name string) bool {
	written, ok := m.written[name]
	if !ok {
		return false
	}
	for i := range live {
		if live[i].Name == name {
			return fingerprintOf(&live[i]) != written
		}
	}
	return true
}

// takeBudget takes one address write from the budget, or returns when the next one is due.
func (m *memory) takeBudget(now time.Time) time.Time {
	reservation := m.budget.ReserveN(now, 1)
	wait := reservation.DelayFrom(now)
	if wait == 0 {
		return time.Time{}
	}
	reservation.CancelAt(now)
	return now.Add(wait)
}

// apply writes the steps in their order and stops at the first failure: what comes later may take away what an earlier
// one was to add.
func (r *PolicyReconciler) apply(
	ctx context.Context, in *observation, steps []netpol.Step, now time.Time,
) (wrote bool, err error) {
	versions := map[string]string{} // of what this plan wrote: it may write one object twice
	for _, step := range steps {
		if version, ok := versions[step.Object.Name]; ok {
			step.Object.ResourceVersion = version
		}
		repair := in.memory.driftedFrom(in.live, step.Object.Name)
		if versions[step.Object.Name], err = r.write(ctx, in, step); err != nil {
			return wrote, err
		}
		wrote = true
		if repair {
			in.memory.contest.repaired(now)
		}
	}
	return wrote, nil
}

// write does one step and returns the resourceVersion that came of it.
func (r *PolicyReconciler) write(ctx context.Context, in *observation, step netpol.Step) (version string, err error) {
	np, sent := step.Object.DeepCopy(), fingerprintOf(step.Object)
	switch step.Verb {
	case netpol.Create:
		err = r.Client.Create(ctx, np, client.FieldOwner(FieldManager))
	case netpol.Update:
		err = r.Client.Update(ctx, np, client.FieldOwner(FieldManager))
	case netpol.Delete:
		err = r.Client.Delete(ctx, np, client.Preconditions{UID: &np.UID, ResourceVersion: &np.ResourceVersion})
	}
	r.Metrics.wrote(resourceNetworkPolicies, string(step.Verb), err)
	switch {
	case apierrors.IsAlreadyExists(err):
		return "", r.lookBehindCache(ctx, in, step.Object.Name)
	case err != nil && step.Verb == netpol.Delete:
		err = client.IgnoreNotFound(err)
	}
	if err != nil {
		return "", fmt.Errorf("%s NetworkPolicy %s: %w", gerund(step.Verb), step.Object.Name, err)
	}
	if step.Verb == netpol.Delete {
		delete(in.memory.written, step.Object.Name)
	} else {
		in.memory.written[step.Object.Name] = sent
	}
	return np.ResourceVersion, nil
}

// lookBehindCache reads a NetworkPolicy that exists although the cache does not show it, and adds it to what was
// observed: whose it is decides what becomes of it.
func (r *PolicyReconciler) lookBehindCache(ctx context.Context, in *observation, name string) error {
	np := networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: in.policy.Namespace, Name: name}}
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(&np), &np); err != nil {
		return fmt.Errorf("reading NetworkPolicy %s, which exists already: %w", name, err)
	}
	in.live = append(in.live, np)
	in.input.Live = in.live
	return errStale
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
