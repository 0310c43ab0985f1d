// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/fqdn-egress/fqdn-egress/controllers/queue"
	"github.com/fqdn-egress/fqdn-egress/controllers/target"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

func TestClassOfUrgency(t *testing.T) {
	for urgency, want := range map[addressbook.Urgency]int{
		addressbook.Awaited: target.Awaited, addressbook.Added: target.Added, addressbook.Other: target.Later,
	} {
		if got := classOf(urgency); got != want {
			t.Errorf("urgency %d: class %d, want %d", urgency, got, want)
		}
	}
	if target.Edited > target.Awaited || target.Awaited > target.Added || target.Added > target.Changed || target.Changed > target.Later {
		t.Error("the classes are not in the order of how pressing they are")
	}
}

// A NetworkPolicy whose label goes from one policy to another wakes both; and the one that it is in the way of.
func TestEnqueueWakesWhomTheObjectConcernsBeforeAndAfter(t *testing.T) {
	q := queue.New("", 8, target.Key.Tenant, func() {})
	h := enqueue(q, target.Changed, targetsInTheWayOf)
	labelled := func(policy string) *networkingv1.NetworkPolicy {
		return &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "copy", Labels: map[string]string{netpol.LabelPolicy: policy},
		}}
	}
	want := func(step string, n int) {
		t.Helper()
		if q.Len() != n {
			t.Errorf("%s: %d targets wait, want %d", step, q.Len(), n)
		}
	}
	h.Create(t.Context(), event.TypedCreateEvent[*networkingv1.NetworkPolicy]{Object: labelled("a")}, nil)
	want("created", 1)
	h.Update(t.Context(), event.TypedUpdateEvent[*networkingv1.NetworkPolicy]{ObjectOld: labelled("a"), ObjectNew: labelled("b")}, nil)
	want("updated", 2)
	h.Delete(t.Context(), event.TypedDeleteEvent[*networkingv1.NetworkPolicy]{Object: labelled("c")}, nil)
	want("deleted", 3)
}
