// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// programmed is what came of writing.
type programmed struct {
	plan     netpol.Plan
	waits    bool      // the first write waits for the names; nothing was tried
	wrote    bool      // at least one NetworkPolicy was written
	held     bool      // the writes wait for retryAt
	retryAt  time.Time // zero: nothing to wait for
	vanishes bool      // the namespace is being deleted, and the policy goes with it
	err      error     // of the write that failed
}

// errStale means that the cache did not show yet what the API server has; the live object is in the observation now.
var errStale = errors.New("the cache is behind the API server")

// program decides what to write and writes it, at the pace that the policy has left.
func (r *PolicyReconciler) program(ctx context.Context, in *observation, now time.Time) programmed {
	done := programmed{plan: netpol.Compile(in.input, now)}
	if at := firstWriteAt(*in); at.After(now) {
		done.waits, done.retryAt = true, at
		return done
	}
	in.memory.contest.only(done.plan.Objects)
	if at := in.memory.paceOf(*in, done.plan.Steps, now); at.After(now) {
		done.held, done.retryAt = true, at
		r.Metrics.limitHit(limitWriteBudget)
		return done
	}
	in.why = in.memory.reasonToWrite(*in, done.plan.Steps)
	in.memory.generation = in.policy.Generation // from now on its writes are paced, whether they succeed or not
	done.wrote, done.err = r.apply(ctx, in, &done.plan, now)
	if errors.Is(done.err, errStale) {
		done.plan = netpol.Compile(in.input, now)
		done.wrote, done.err = r.apply(ctx, in, &done.plan, now)
	}
	in.memory.conclude(in, &done, now)
	return done
}

// conclude says what follows from the writes.
//
//	all answered as sent                     carried addresses that are over are dropped; a contest may end
//	an answer that differs                   the same, again after contestedPace: see contest
//	somebody wrote or deleted since we read  again in a second; the watch will bring it, the retry is for one that hangs
//	the namespace is being deleted           nothing: the policy goes with it
//	another error                            done.err, for the status and the queue's own pace
func (m *memory) conclude(in *observation, done *programmed, now time.Time) {
	switch {
	case vanishes(done.err):
		done.err, done.vanishes = nil, true
	case apierrors.IsConflict(done.err), apierrors.IsNotFound(done.err), errors.Is(done.err, errStale):
		done.err, done.held, done.retryAt = nil, true, now.Add(time.Second)
	case done.err == nil:
		if len(done.plan.Steps) == 0 {
			m.contest.asWanted()
		}
		if len(m.contest.altered) == 0 {
			m.carried = done.plan.StillCarried
		}
		m.know(ownedBy(in.policy, in.live))
		done.retryAt = m.contest.settle(now)
	}
}

// vanishes tells whether a write failed because its namespace is being deleted, or is gone already.
func vanishes(err error) bool {
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return true
	}
	var status apierrors.APIStatus
	return apierrors.IsNotFound(err) && errors.As(err, &status) &&
		status.Status().Details != nil && status.Status().Details.Kind == "namespaces"
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
	case drifted && !m.contest.on():
		return time.Time{}
	}
	return m.takeBudget(now)
}

// reasonToWrite says why this process is about to write, for the log.
func (m *memory) reasonToWrite(in observation, steps []netpol.Step) string {
	owned := len(ownedBy(in.policy, in.live)) > 0
	switch {
	case m.generation == 0 && owned:
		return whyStart
	case m.generation != in.policy.Generation:
		return whySpec
	case slices.ContainsFunc(steps, func(s netpol.Step) bool { return m.driftedFrom(in.live, s.Object.Name) }):
		return whyRepair
	}
	return whyAnswers
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
