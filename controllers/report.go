// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

// report writes the status if it differs, with one patch, and tells by events what a person should act on. It returns
// when a status that has to wait is due; zero: none waits.
func (r *PolicyReconciler) report(
	ctx context.Context, in observation, snapshot addressbook.Snapshot, done programmed, now time.Time,
) (time.Time, error) {
	contested := in.memory.contest.on
	if done.held && !contested {
		return time.Time{}, nil // the status goes with the write that waits
	}
	policy := in.policy
	status := statusFor(facts{
		policy: policy, snapshot: snapshot, done: done, contested: contested,
		dnsRemark: dnsRemarkOf(in.dns, r.Options.DNSService),
	}, now)
	r.Metrics.observe(client.ObjectKeyFromObject(policy), figuresOf(status, done.plan))
	if equality.Semantic.DeepEqual(policy.Status, status) {
		in.memory.statusOwed = false
		return time.Time{}, nil
	}
	if at := in.memory.statusDue(policy, snapshot, done, now); !at.IsZero() {
		return at, nil
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
	r.Metrics.limits(snapshot, done.plan)
	for _, e := range eventsFor(before.Status, status) {
		r.Metrics.event(e)
		r.Recorder.Eventf(policy, nil, e.kind, e.reason, e.action, "%s", shorten(e.note))
	}
	return time.Time{}, nil
}

// statusDue returns when a status that differs is to be written; zero: now.
func (m *memory) statusDue(
	policy *v1alpha1.FQDNEgressPolicy, snapshot addressbook.Snapshot, done programmed, now time.Time,
) time.Time {
	if at := namesDueAt(snapshot); policy.Status.ObservedGeneration == 0 && at.After(now) {
		return at // the first status is worth a moment's wait, as the first NetworkPolicy is
	}
	if done.wrote && done.err == nil && !m.statusOwed {
		// Rules before words: where many policies wait for their NetworkPolicies, their statuses go to the end of the queue.
		m.statusOwed = true
		return now
	}
	due := m.statusAt.Add(statusInterval)
	if !m.statusOwed && policy.Status.ObservedGeneration == policy.Generation && due.After(now) {
		return due
	}
	return time.Time{}
}
