// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package when turns instants into the time of the next reconcile. A zero instant means "never" throughout.
package when

import (
	"time"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Earliest returns the earliest of the given instants; zero ones do not count, and zero is returned if all are.
func Earliest(instants ...time.Time) time.Time {
	var first time.Time
	for _, at := range instants {
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// Again asks for a reconcile at the earliest of the given instants, at once if that has passed, and for none if all are zero.
func Again(now time.Time, instants ...time.Time) reconcile.Result {
	at := Earliest(instants...)
	if at.IsZero() {
		return reconcile.Result{}
	}
	// An instant is meant to have passed when the reconcile runs, and a zero RequeueAfter would mean "never".
	return reconcile.Result{RequeueAfter: max(at.Sub(now), 0) + time.Millisecond}
}
