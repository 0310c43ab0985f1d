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
	"github.com/fqdn-egress/fqdn-egress/controllers/queue"
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
	statusWorkers = 8
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
//	there is room for peers that were left out   the target that waits for it
//	the Service ranges change                    all targets
//	the facts of the cluster's DNS change        all targets, all statuses, the families
//	a target was looked at                       the status of its policy
//	no rules wait to be written any more         the statuses that let them go first
//	their own time has come                      targets and statuses
func Setup(ctx context.Context, mgr ctrl.Manager, book *addressbook.Book, dns ClusterDNS, guard *Guard, o Options) error {
	err := mgr.GetFieldIndexer().IndexField(ctx, &networkingv1.NetworkPolicy{}, target.PolicyIndex, target.IndexedPolicies)
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
	p := parts{mgr: mgr, book: book, dns: dns, guard: guard, options: o, results: target.NewResults()}
	c, m := mgr.GetClient(), metrics.New(runtimemetrics.Registry, book, dns)
	p.targets = queue.New(targetController, max(o.Workers, 1), target.Key.Tenant, func() { p.rulesRanDry() })
	p.statuses = queue.New(statusController, statusWorkers, func(o addressbook.Owner) string { return string(o.Tenant()) }, func() {})
	p.target = target.New(target.API{Client: c, Live: mgr.GetAPIReader()}, book, dns, guard.Current, pulse, p.results,
		clock.RealClock{}, m, o.Target)
	p.status = status.New(c, p.results, p.targets, dns, pulse, mgr.GetEventRecorder(target.FieldManager),
		clock.RealClock{}, m, o.DNSService)

	if err := p.setupTargets(); err != nil {
		return fmt.Errorf("setting up the controller of targets: %w", err)
	}
	if err := p.setupStatuses(); err != nil {
		return fmt.Errorf("setting up the controller of statuses: %w", err)
	}
	if err := mgr.Add(&noticeLog{dns: dns, service: o.DNSService, log: mgr.GetLogger().WithName("cluster-dns")}); err != nil {
		return fmt.Errorf("adding the log of the cluster's DNS: %w", err)
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

// parts are what Setup puts together.
type parts struct {
	mgr      ctrl.Manager
	book     *addressbook.Book
	dns      ClusterDNS
	guard    *Guard
	options  Options
	results  *target.Results
	targets  *queue.Queue[target.Key]
	target   *target.Reconciler
	statuses *queue.Queue[addressbook.Owner]
	status   *status.Reconciler
}

// setupTargets registers the controller of targets.
func (p *parts) setupTargets() error {
	warm := true
	c, err := controller.NewTyped(targetController, p.mgr, controller.TypedOptions[target.Key]{
		Reconciler:              p.target,
		MaxConcurrentReconciles: max(p.options.Workers, 1),
		EnableWarmup:            &warm,
		ReconciliationTimeout:   reconcileTimeout,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[target.Key](retryBase, retryMax),
		NewQueue:                p.targets.WithDelays,
		LogConstructor:          logFor(p.mgr, targetController, func(k *target.Key) types.NamespacedName { return k.Policy() }),
	})
	if err != nil {
		return err
	}
	all := func(ctx context.Context) []target.Key { return allTargets(ctx, p.mgr.GetClient()) }
	sources := []source.TypedSource[target.Key]{
		source.TypedKind(p.mgr.GetCache(), &v1alpha1.FQDNEgressPolicy{}, enqueue(p.targets, target.Edited, targetOf),
			predicate.TypedGenerationChangedPredicate[*v1alpha1.FQDNEgressPolicy]{}),
		source.TypedKind(p.mgr.GetCache(), &networkingv1.NetworkPolicy{}, enqueue(p.targets, target.Changed, targetsInTheWayOf)),
		clusterDNSSource[target.Key]{dns: p.dns, changed: func(ctx context.Context) {
			for _, k := range all(ctx) {
				p.targets.AddAs(k, target.Later)
			}
		}},
	}
	if p.guard.ServiceCIDRs {
		sources = append(sources, source.TypedKind(p.mgr.GetCache(), &networkingv1.ServiceCIDR{}, enqueue(p.targets, target.Later,
			func(ctx context.Context, _ *networkingv1.ServiceCIDR) []target.Key { return all(ctx) })))
	}
	for _, s := range sources {
		if err := c.Watch(s); err != nil {
			return err
		}
	}
	// Adding a key never blocks, and one that waits is not added again.
	p.target.OnRoom(func(k target.Key) { p.targets.AddAs(k, target.Added) })
	p.book.OnChange(func(o addressbook.Owner, u addressbook.Urgency) {
		p.targets.AddAs(target.Key{Owner: o, Namespace: o.Namespace}, classOf(u))
	})
	return nil
}

// setupStatuses registers the controller of statuses.
func (p *parts) setupStatuses() error {
	warm := true
	c, err := controller.NewTyped(statusController, p.mgr, controller.TypedOptions[addressbook.Owner]{
		Reconciler:              p.status,
		MaxConcurrentReconciles: statusWorkers,
		EnableWarmup:            &warm,
		ReconciliationTimeout:   reconcileTimeout,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[addressbook.Owner](retryBase, retryMax),
		NewQueue:                p.statuses.WithDelays,
		LogConstructor: logFor(p.mgr, statusController, func(o *addressbook.Owner) types.NamespacedName {
			return types.NamespacedName{Namespace: o.Namespace, Name: o.Name}
		}),
	})
	if err != nil {
		return err
	}
	p.results.OnChange(p.statuses.Add)
	return c.Watch(clusterDNSSource[addressbook.Owner]{dns: p.dns, changed: func(context.Context) {
		for _, o := range p.results.Owners() {
			p.statuses.Add(o)
		}
	}})
}

// rulesRanDry wakes the statuses that let rules go first.
func (p *parts) rulesRanDry() {
	for _, o := range p.status.RulesRanDry() {
		p.statuses.Add(o)
	}
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
