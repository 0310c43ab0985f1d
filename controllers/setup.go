// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// The pace of retries after a failed write.
const (
	retryBase = 200 * time.Millisecond
	retryMax  = 30 * time.Second
	// reconcileTimeout bounds one reconcile: reads wait for our own writes to be in the cache, and a watch may hang.
	reconcileTimeout = time.Minute
)

// SetupWithManager registers the reconciler and what wakes it: policies, their NetworkPolicies, the Service ranges, the
// book and the cluster's DNS. Every wake-up is a key; what changed is read afresh.
func (r *PolicyReconciler) SetupWithManager(ctx context.Context, mgr ctrl.Manager) error {
	err := mgr.GetFieldIndexer().IndexField(ctx, &networkingv1.NetworkPolicy{}, policyIndex, policiesOf)
	if err != nil {
		return fmt.Errorf("indexing NetworkPolicies: %w", err)
	}
	warm := true
	b := ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.FQDNEgressPolicy{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&networkingv1.NetworkPolicy{}, handler.EnqueueRequestsFromMapFunc(requestsOf)).
		WatchesRawSource(source.Func(r.watchBook)).
		WatchesRawSource(clusterDNSSource{r: r, reported: &reportedNotices{}}).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: r.Options.MaxConcurrentReconciles,
			EnableWarmup:            &warm,
			ReconciliationTimeout:   reconcileTimeout,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](retryBase, retryMax),
		})
	if r.Options.ServiceCIDRs {
		b = b.Watches(&networkingv1.ServiceCIDR{}, handler.EnqueueRequestsFromMapFunc(
			func(ctx context.Context, _ client.Object) []reconcile.Request { return r.allPolicies(ctx) }))
	}
	if err := b.Complete(r); err != nil {
		return fmt.Errorf("setting up the policy controller: %w", err)
	}
	return nil
}

// policiesOf names the policies that a NetworkPolicy concerns: as theirs, or as a namesake that is in the way.
func policiesOf(np client.Object) []string {
	return netpol.PoliciesOf(np.(*networkingv1.NetworkPolicy), netpol.NamespacedKind())
}

func requestsOf(_ context.Context, np client.Object) []reconcile.Request {
	var requests []reconcile.Request
	for _, policy := range policiesOf(np) {
		requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: np.GetNamespace(), Name: policy}})
	}
	return requests
}

// watchBook lets the book wake policies. Adding a key to the queue never blocks, and a key waits there only once.
func (r *PolicyReconciler) watchBook(
	_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request],
) error {
	r.Book.OnChange(func(o addressbook.Owner, _ addressbook.Urgency) {
		if o.Kind == v1alpha1.Kind {
			queue.Add(reconcile.Request{NamespacedName: keyOf(o)})
		}
	})
	return nil
}

func (r *PolicyReconciler) allPolicies(ctx context.Context) []reconcile.Request {
	list := &v1alpha1.FQDNEgressPolicyList{}
	if err := r.Client.List(ctx, list, client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Listing policies to wake them")
		return nil
	}
	requests := make([]reconcile.Request, len(list.Items))
	for i := range list.Items {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&list.Items[i])
	}
	return requests
}
