// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/controllers/queue"
	"github.com/fqdn-egress/fqdn-egress/controllers/target"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/clusterdns"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// ClusterDNS is where the facts of the DNS rule come from.
type ClusterDNS interface {
	Facts() clusterdns.Facts
	OnChange(changed func())
	WaitForSync(ctx context.Context) bool
}

// classOf returns how pressing a change of what the book knows is.
func classOf(u addressbook.Urgency) int {
	switch u {
	case addressbook.Awaited:
		return target.Awaited
	case addressbook.Added:
		return target.Added
	case addressbook.Other:
	}
	return target.Later
}

// enqueue returns a handler that adds the targets that an object concerns to their queue.
func enqueue[T client.Object](q *queue.Queue[target.Key], class int, targetsOf func(context.Context, T) []target.Key) handler.TypedEventHandler[T, target.Key] {
	add := func(ctx context.Context, o T) {
		for _, k := range targetsOf(ctx, o) {
			q.AddAs(k, class)
		}
	}
	type limiting = workqueue.TypedRateLimitingInterface[target.Key]
	return handler.TypedFuncs[T, target.Key]{
		CreateFunc: func(ctx context.Context, e event.TypedCreateEvent[T], _ limiting) { add(ctx, e.Object) },
		UpdateFunc: func(ctx context.Context, e event.TypedUpdateEvent[T], _ limiting) {
			add(ctx, e.ObjectOld) // it may concern others now
			add(ctx, e.ObjectNew)
		},
		DeleteFunc: func(ctx context.Context, e event.TypedDeleteEvent[T], _ limiting) { add(ctx, e.Object) },
	}
}

// targetOf returns the target of a policy.
func targetOf(_ context.Context, p *v1alpha1.FQDNEgressPolicy) []target.Key {
	return []target.Key{target.KeyOf(client.ObjectKeyFromObject(p))}
}

// targetsInTheWayOf returns the targets that a NetworkPolicy concerns: as theirs, or as a namesake that is in the way.
func targetsInTheWayOf(_ context.Context, np *networkingv1.NetworkPolicy) []target.Key {
	var keys []target.Key
	for _, policy := range policiesOf(np) {
		keys = append(keys, target.KeyOf(types.NamespacedName{Namespace: np.Namespace, Name: policy}))
	}
	return keys
}

// policiesOf names the policies that a NetworkPolicy concerns.
func policiesOf(np client.Object) []string {
	return netpol.PoliciesOf(np.(*networkingv1.NetworkPolicy), netpol.NamespacedKind())
}

// allTargets returns the targets of all policies.
func allTargets(ctx context.Context, c client.Reader) []target.Key {
	list := &v1alpha1.FQDNEgressPolicyList{}
	if err := c.List(ctx, list, client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Listing policies to wake them")
		return nil
	}
	keys := make([]target.Key, len(list.Items))
	for i := range list.Items {
		keys[i] = target.KeyOf(client.ObjectKeyFromObject(&list.Items[i]))
	}
	return keys
}

// clusterDNSSource calls changed when the facts of the cluster's DNS change, and holds the workers of its controller back until
// they were read once: without them the first write after a start would change the DNS rule.
type clusterDNSSource[K comparable] struct {
	dns     ClusterDNS
	changed func(ctx context.Context)
}

// Start implements source.TypedSource.
func (s clusterDNSSource[K]) Start(ctx context.Context, _ workqueue.TypedRateLimitingInterface[K]) error {
	s.dns.OnChange(func() { s.changed(ctx) })
	return nil
}

// WaitForSync implements source.TypedSyncingSource.
func (s clusterDNSSource[K]) WaitForSync(ctx context.Context) error {
	if !s.dns.WaitForSync(ctx) {
		return fmt.Errorf("waiting for the cluster DNS Service: %w", ctx.Err())
	}
	return nil
}
