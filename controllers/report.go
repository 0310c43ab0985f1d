// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// report writes the status if it differs, with one patch, and tells by events what a person should act on. It returns
// when a status that has to wait is due, or changes by itself; zero: never.
func (r *PolicyReconciler) report(ctx context.Context, in observation, done programmed, now time.Time) (time.Time, error) {
	contested := in.memory.contest.on()
	if !r.Pulse.steady(r.Clock.Now()) {
		return time.Time{}, errStopped
	}
	if done.vanishes || done.held && !contested {
		return time.Time{}, nil // the status goes with the policy, or with the write that waits
	}
	policy := in.policy
	f := facts{
		policy: policy, snapshot: in.snapshot, done: done, live: netpol.Live(in.input, done.plan, in.live),
		contested: contested, altered: in.memory.contest.differences(), dnsRemark: dnsRemarkOf(in.dns, r.Options.DNSService),
	}
	status := statusFor(f, now)
	next := f.next(status, now)
	r.Metrics.observe(client.ObjectKeyFromObject(policy), figuresOf(status, done.plan))
	if equality.Semantic.DeepEqual(policy.Status, status) {
		in.memory.statusOwed = false
		return next, nil
	}
	if at := in.memory.statusDue(policy.Status, in, done, now); !at.IsZero() {
		return earliest(next, at), nil
	}

	before := policy.DeepCopy()
	policy.Status = status
	err := r.Client.Status().Patch(ctx, policy, client.MergeFrom(before), client.FieldOwner(FieldManager))
	r.Metrics.wrote(resourceStatus, verbPatch, err)
	if apierrors.IsNotFound(err) {
		return time.Time{}, nil // deleted meanwhile
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("writing status: %w", err)
	}
	in.memory.statusAt, in.memory.statusOwed = now, false
	r.Metrics.limits(in.snapshot, done.plan)
	for _, e := range eventsFor(before.Status, status) {
		r.Metrics.event(e)
		r.Recorder.Eventf(policy, nil, e.kind, e.reason, e.action, "%s", shorten(e.note, maxMessage))
	}
	return next, nil
}

// statusDue returns when a status that differs is to be written; zero: now.
//
//	the first of a generation              at once, unless a name is likely to be answered within a moment
//	after a write of a NetworkPolicy       at the end of the queue: rules before words
//	Ready is still Unknown, for a start    at once: tools wait for it
//	else                                   statusInterval after the one before
func (m *memory) statusDue(written v1alpha1.FQDNEgressPolicyStatus, in observation, done programmed, now time.Time) time.Time {
	first := written.ObservedGeneration != in.policy.Generation
	if at := namesDueAt(in.snapshot, firstStatusWait); first && at.After(now) {
		return at
	}
	if done.wrote && done.err == nil && !m.statusOwed {
		m.statusOwed = true
		return now
	}
	ready := meta.FindStatusCondition(written.Conditions, v1alpha1.ConditionReady)
	pending := ready != nil && ready.Reason == v1alpha1.ReasonPending
	if due := m.statusAt.Add(statusInterval); !first && !pending && !m.statusOwed && due.After(now) {
		return due
	}
	return time.Time{}
}
