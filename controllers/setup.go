// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controllers is the list of all that runs and of what wakes what. What is done to the NetworkPolicies of a policy is in
// package target, what is told of it in package status.
package controllers

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/go-logr/logr"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	runtimemetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/controllers/metrics"
	"github.com/fqdn-egress/fqdn-egress/controllers/status"
	"github.com/fqdn-egress/fqdn-egress/controllers/target"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

// The names of the controllers, in logs and metrics.
const (
	targetController = "target"
	statusController = "status"
)

const (
	// statusWorkers are few: status writes must not take the API server's time from rules.
	statusWorkers = 4
	// The pace of retries after a failed write.
	retryBase = 200 * time.Millisecond
	retryMax  = 30 * time.Second
	// reconcileTimeout bounds one reconcile: reads wait for our own writes to be in the cache, and a watch may hang.
	reconcileTimeout = time.Minute
)

// Options are the settings of Setup. The zero value works.
type Options struct {
	// Target has the settings of targets.
	Target target.Options
	// DNSService names the cluster's DNS Service in messages: "kube-system/kube-dns".
	DNSService string
	// Workers is the number of targets that are looked at at once. Zero: 1.
	Workers int
	// LeaderElect: the process writes only while it leads.
	LeaderElect bool
	// FollowFamilies keeps the book to the address families that the cluster has; PodIPs are the addresses of the controller's
	// own pod, nil outside of a cluster.
	FollowFamilies bool
	PodIPs         []netip.Addr
}

// Setup registers all that runs with the manager, and what wakes it. Every wake-up is a key; what changed is read afresh.
//
//	what happens                                 whom it wakes
//	a policy comes, goes or is edited            its target
//	a NetworkPolicy comes, goes or changes       the targets that it concerns
//	the book learns something                    the owner's target
//	the Service ranges change                    all targets
//	the facts of the cluster's DNS change        all targets, all statuses, the families
//	a target was looked at                       the status of its policy
//	no rules wait to be written any more         the statuses that let them go first
//	their own time has come                      targets and statuses
func Setup(ctx context.Context, mgr ctrl.Manager, book *addressbook.Book, dns ClusterDNS, guard *Guard, o Options) error {
	err := mgr.GetFieldIndexer().IndexField(ctx, &networkingv1.NetworkPolicy{}, target.PolicyIndex, policiesOf)
	if err != nil {
		return fmt.Errorf("indexing NetworkPolicies: %w", err)
	}
	var pulse *Pulse // nil: the process may always write
	if o.LeaderElect {
		pulse = &Pulse{Clock: clock.RealClock{}}
		if err := mgr.Add(pulse); err != nil {
			return fmt.Errorf("adding the pulse: %w", err)
		}
	}
	c, results, m := mgr.GetClient(), target.NewResults(), metrics.New(runtimemetrics.Registry, book, dns)
	statuses := &statusQueue{}
	queue := target.NewQueue(targetController, max(o.Workers, 1), statuses.rulesRanDry)
	targets := target.New(target.API{Client: c, Live: mgr.GetAPIReader()}, book, dns, guard.Current, pulse, results,
		clock.RealClock{}, m, o.Target)
	statuses.reconciler = status.New(c, book, results, queue, dns, pulse, mgr.GetEventRecorder(target.FieldManager),
		clock.RealClock{}, m, o.DNSService)

	if err := setupTargets(mgr, targets, queue, book, dns, guard, o); err != nil {
		return fmt.Errorf("setting up the controller of targets: %w", err)
	}
	if err := setupStatuses(mgr, statuses, results, dns); err != nil {
		return fmt.Errorf("setting up the controller of statuses: %w", err)
	}
	if !o.FollowFamilies {
		return nil
	}
	families := &Families{
		Book: book, ClusterDNS: dns, PodIPs: o.PodIPs, Clock: clock.RealClock{}, Log: mgr.GetLogger().WithName("families"),
	}
	if err := mgr.Add(families); err != nil {
		return fmt.Errorf("adding the follower of address families: %w", err)
	}
	return nil
}

// setupTargets registers the controller of targets.
func setupTargets(
	mgr ctrl.Manager, reconciler *target.Reconciler, queue *target.Queue, book *addressbook.Book, dns ClusterDNS, guard *Guard, o Options,
) error {
	warm := true
	c, err := controller.NewTyped(targetController, mgr, controller.TypedOptions[target.Key]{
		Reconciler:              reconciler,
		MaxConcurrentReconciles: max(o.Workers, 1),
		EnableWarmup:            &warm,
		ReconciliationTimeout:   reconcileTimeout,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[target.Key](retryBase, retryMax),
		NewQueue:                queue.WithDelays,
		LogConstructor: logFor(mgr, targetController, func(k *target.Key) types.NamespacedName {
			return k.Policy()
		}),
	})
	if err != nil {
		return err
	}
	wakeAll := func(ctx context.Context) {
		for _, k := range allTargets(ctx, mgr.GetClient()) {
			queue.Add(k)
		}
	}
	type limiting = workqueue.TypedRateLimitingInterface[target.Key]
	sources := []source.TypedSource[target.Key]{
		source.TypedKind(mgr.GetCache(), &v1alpha1.FQDNEgressPolicy{}, enqueue(queue, target.Edited, targetOf),
			predicate.TypedGenerationChangedPredicate[*v1alpha1.FQDNEgressPolicy]{}),
		source.TypedKind(mgr.GetCache(), &networkingv1.NetworkPolicy{}, enqueue(queue, target.Changed, targetsInTheWayOf)),
		source.TypedFunc[target.Key](func(context.Context, limiting) error {
			// Adding a key never blocks, and one that waits is not added again.
			book.OnChange(func(o addressbook.Owner, u addressbook.Urgency) {
				queue.AddAs(target.KeyOf(types.NamespacedName{Namespace: o.Namespace, Name: o.Name}), classOf(u))
			})
			return nil
		}),
		clusterDNSSource[target.Key]{dns: dns, changed: func(ctx context.Context, _ limiting) { wakeAll(ctx) }},
	}
	if guard.ServiceCIDRs {
		sources = append(sources, source.TypedKind(mgr.GetCache(), &networkingv1.ServiceCIDR{}, enqueue(queue, target.Later,
			func(ctx context.Context, _ *networkingv1.ServiceCIDR) []target.Key {
				return allTargets(ctx, mgr.GetClient())
			})))
	}
	for _, s := range sources {
		if err := c.Watch(s); err != nil {
			return err
		}
	}
	return mgr.Add(&noticeLog{dns: dns, service: o.DNSService, log: mgr.GetLogger().WithName("cluster-dns")})
}

// setupStatuses registers the controller of statuses.
func setupStatuses(mgr ctrl.Manager, statuses *statusQueue, results *target.Results, dns ClusterDNS) error {
	warm := true
	c, err := controller.NewTyped(statusController, mgr, controller.TypedOptions[addressbook.Owner]{
		Reconciler:              statuses.reconciler,
		MaxConcurrentReconciles: statusWorkers,
		EnableWarmup:            &warm,
		ReconciliationTimeout:   reconcileTimeout,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[addressbook.Owner](retryBase, retryMax),
		LogConstructor: logFor(mgr, statusController, func(o *addressbook.Owner) types.NamespacedName {
			return types.NamespacedName{Namespace: o.Namespace, Name: o.Name}
		}),
	})
	if err != nil {
		return err
	}
	type limiting = workqueue.TypedRateLimitingInterface[addressbook.Owner]
	results.OnChange(statuses.add)
	for _, s := range []source.TypedSource[addressbook.Owner]{
		source.TypedFunc[addressbook.Owner](func(_ context.Context, queue limiting) error {
			statuses.start(queue)
			for _, o := range results.Owners() { // looked at before there was a queue
				queue.Add(o)
			}
			return nil
		}),
		clusterDNSSource[addressbook.Owner]{dns: dns, changed: func(_ context.Context, queue limiting) {
			for _, o := range results.Owners() {
				queue.Add(o)
			}
		}},
	} {
		if err := c.Watch(s); err != nil {
			return err
		}
	}
	return nil
}

// logFor returns the log of a controller, and of one of its keys, with the words that controller-runtime uses.
func logFor[K any](mgr ctrl.Manager, name string, policyOf func(*K) types.NamespacedName) func(*K) logr.Logger {
	log := mgr.GetLogger().WithValues("controller", name)
	return func(k *K) logr.Logger {
		if k == nil {
			return log
		}
		p := policyOf(k)
		return log.WithValues(v1alpha1.Kind, klog.KRef(p.Namespace, p.Name), "namespace", p.Namespace, "name", p.Name)
	}
}
