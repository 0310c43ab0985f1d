// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controllers keeps the NetworkPolicies of every FQDNEgressPolicy true to its spec and to the addresses that
// the addressbook knows, and reports in its status what was found and written. It never resolves a name.
package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

// FieldManager is the name under which the controller writes.
const FieldManager = "fqdn-egress-controller"

// PolicyReconciler reconciles FQDNEgressPolicies. All fields but Options and Pulse are required.
type PolicyReconciler struct {
	// Client reads from the manager's cache, and reads what it wrote (EnableReadYourWritesConsistency).
	Client client.Client
	// Live reads from the API server: for the owner of a NetworkPolicy that the cache does not show yet.
	Live       client.Reader
	Book       *addressbook.Book
	ClusterDNS ClusterDNS
	Recorder   events.EventRecorder
	Clock      clock.PassiveClock
	Metrics    *Metrics
	Options    Options
	// Pulse says when the process must not write any more. Nil: it always may, as without leader election.
	Pulse *Pulse

	memories memories
}

// Reconcile makes one policy true. It reads a snapshot of what is known, decides, writes what differs, reports, and
// asks to be called again when time alone would change the decision.
func (r *PolicyReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	now := r.Clock.Now()
	policy := &v1alpha1.FQDNEgressPolicy{}
	err := r.Client.Get(ctx, req.NamespacedName, policy)
	if apierrors.IsNotFound(err) || (err == nil && !policy.DeletionTimestamp.IsZero()) {
		r.forget(req.NamespacedName)
		return ctrl.Result{}, nil
	}
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("reading policy: %w", err)
	}

	r.Book.Want(ownerOf(policy), wantsOf(policy), now)
	snapshot := r.Book.Snapshot(ownerOf(policy), now)
	in, err := r.observe(ctx, policy, snapshot, now)
	if err != nil {
		return ctrl.Result{}, err
	}
	done := r.program(ctx, &in, now)
	next, err := r.report(ctx, in, done, now)
	err = errors.Join(done.err, err)
	if errors.Is(err, errStopped) {
		return ctrl.Result{RequeueAfter: pulseInterval}, nil // the process is about to end
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	return requeueAt(now, snapshot.Next, done.plan.Next, done.retryAt, next), nil
}

// forget drops all that is remembered of a policy that is gone or going: nothing is written for it any more.
func (r *PolicyReconciler) forget(policy types.NamespacedName) {
	r.Book.Forget(ownerFor(policy))
	r.memories.forget(policy)
	r.Metrics.forget(policy)
}

// requeueAt asks for a reconcile at the earliest of the given instants; zero ones do not count.
func requeueAt(now time.Time, instants ...time.Time) ctrl.Result {
	at := earliest(instants...)
	if at.IsZero() {
		return ctrl.Result{}
	}
	// An instant is meant to have passed when the reconcile runs, and a zero RequeueAfter would mean "never".
	return ctrl.Result{RequeueAfter: max(at.Sub(now), 0) + time.Millisecond}
}
