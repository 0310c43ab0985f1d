// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package status tells in the status of each policy, and in events, what was found and written. It folds the Results of the
// policy's targets, and writes one patch if the status differs, never before rules that wait to be written.
package status

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/controllers/metrics"
	"github.com/fqdn-egress/fqdn-egress/controllers/target"
	"github.com/fqdn-egress/fqdn-egress/controllers/when"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/clusterdns"
)

// Rules is the queue of those that write rules. It is safe for concurrent use.
type Rules interface {
	// Waiting tells whether rules of the tenant wait to be written, or rules of others only for a worker.
	Waiting(tenant string) bool
}

// Reconciler reconciles the status of policies. Its methods are safe for concurrent use, Reconcile with different owners.
type Reconciler struct {
	client     client.Client
	results    *target.Results
	rules      Rules
	dns        target.ClusterDNS
	fence      target.Fence
	recorder   events.EventRecorder
	clock      clock.PassiveClock
	metrics    *metrics.Metrics
	dnsService string

	dues    dues
	share   share
	waiting waiting
}

// New returns a Reconciler. The client reads from the manager's cache, and reads what it wrote; dnsService names the cluster's
// DNS Service in messages: "kube-system/kube-dns".
func New(
	c client.Client, results *target.Results, rules Rules, dns target.ClusterDNS, fence target.Fence,
	recorder events.EventRecorder, clock clock.PassiveClock, m *metrics.Metrics, dnsService string,
) *Reconciler {
	return &Reconciler{
		client: c, results: results, rules: rules, dns: dns, fence: fence, recorder: recorder, clock: clock, metrics: m,
		dnsService: dnsService,
	}
}

// Reconcile writes the status of one policy if it differs, and asks to be called again when that is due, or when time alone
// would change it.
func (r *Reconciler) Reconcile(ctx context.Context, o addressbook.Owner) (reconcile.Result, error) {
	now := r.clock.Now()
	policy := &v1alpha1.FQDNEgressPolicy{}
	err := r.client.Get(ctx, nameOf(o), policy, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(err) || (err == nil && !policy.DeletionTimestamp.IsZero()) {
		if due := r.dues.forget(o); due != nil {
			r.share.settle(due, string(o.Tenant()), false, now) // a turn that it waited for
		}
		r.metrics.Forget(nameOf(o))
		return reconcile.Result{}, nil
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("reading policy: %w", err)
	}
	result, ok := fold(policy, r.results.Of(o))
	if !ok || result.Vanishes {
		return reconcile.Result{}, nil // a look at the target will wake it; or the status goes with the policy
	}
	return r.tell(ctx, o, findings{
		policy: policy, result: result, dnsRemark: clusterdns.StatusNotice(r.dns.Facts(), r.dnsService),
	}, now)
}

// tell writes the status, when its time has come.
//
//	it was looked at a moment ago             later, see foldAt
//	it differs, but rules wait                first these, see rulesFirst
//	it does not differ                        nothing
//	it differs, and was written a moment ago  later, see writeAt
//	it differs, and its tenant wrote much     when its turn comes, see share
func (r *Reconciler) tell(ctx context.Context, o addressbook.Owner, f findings, now time.Time) (reconcile.Result, error) {
	tenant, due := string(o.Tenant()), r.dues.of(o, f.policy, now)
	if at := due.foldAt(f.policy, f.result.Names); at.After(now) {
		return when.Again(now, at), nil
	}
	if at := r.rulesFirst(tenant, due, f.policy, now); at.After(now) {
		return r.waitForRules(o, at, now), nil
	}
	status := statusFor(f, now)
	next := f.next(status, now)
	r.metrics.Observe(nameOf(o), figuresOf(status, f))
	same := equality.Semantic.DeepEqual(f.policy.Status, status)
	due.folded(same, now)
	if same {
		r.share.settle(due, tenant, false, now)
		return when.Again(now, next), nil
	}
	if at := due.writeAt(f.policy); at.After(now) {
		return when.Again(now, at, next), nil
	}
	if at := r.share.reserve(due, tenant, urgent(f.policy), sizeOf(&status), now); at.After(now) {
		return when.Again(now, at), nil
	}
	if at := r.rulesFirst(tenant, due, f.policy, now); at.After(now) {
		return r.waitForRules(o, at, now), nil
	}
	return r.write(ctx, f, status, due, next)
}

// rulesFirst returns until when a status that is known to differ lets rules go first; zero: it does not.
func (r *Reconciler) rulesFirst(tenant string, due *due, policy *v1alpha1.FQDNEgressPolicy, now time.Time) time.Time {
	until := due.rulesFirst(policy)
	switch {
	case until.IsZero() || !r.rules.Waiting(tenant):
		return time.Time{}
	case until.After(now):
		return until
	case r.share.lateAt(tenant, now).After(now):
		return now.Add(maxWaitForRules)
	}
	return time.Time{}
}

// waitForRules lets a status wait until no rules do any more, at most until the given instant.
func (r *Reconciler) waitForRules(o addressbook.Owner, at, now time.Time) reconcile.Result {
	r.waiting.add(o)
	if !r.rules.Waiting(string(o.Tenant())) {
		return when.Again(now, now) // they ran dry before it was noted, and nobody tells
	}
	return when.Again(now, at)
}

// write writes a status and tells what begins and ends with it.
func (r *Reconciler) write(
	ctx context.Context, f findings, status v1alpha1.FQDNEgressPolicyStatus, due *due, next time.Time,
) (reconcile.Result, error) {
	now := r.clock.Now()
	if !r.fence.Steady(now) {
		return reconcile.Result{RequeueAfter: target.FenceInterval}, nil // the process is about to end
	}
	before := f.policy
	policy := before.DeepCopy()
	policy.Status = status
	// With the resourceVersion: a cache that is behind must not put an older status in the place of a newer one.
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	err := r.client.Status().Patch(ctx, policy, patch, client.FieldOwner(target.FieldManager))
	r.metrics.WroteStatus(err)
	r.share.settle(due, f.policy.Namespace, err == nil, now)
	switch {
	case apierrors.IsConflict(err), apierrors.IsNotFound(err):
		// Written or deleted meanwhile, as the cache says then; or an API server that starts, or gets the CRD anew, answers so.
		return reconcile.Result{RequeueAfter: retryWait}, nil
	case err != nil:
		return reconcile.Result{}, fmt.Errorf("writing status: %w", err)
	}
	due.written(now)
	if r.rules.Waiting(f.policy.Namespace) {
		r.share.wroteLate(f.policy.Namespace, now)
	}
	for _, l := range f.limits() {
		if l != f.result.Limit { // that one was counted when the wait began
			r.metrics.LimitHit(l)
		}
	}
	for _, e := range eventsFor(before.Status, status) {
		if !r.share.event(policy.Namespace, now) {
			continue
		}
		r.metrics.Event(e.reason)
		r.recorder.Eventf(policy, nil, e.kind, e.reason, e.action, "%s", shorten(e.note, maxMessage))
	}
	return when.Again(now, next), nil
}

// RulesRanDry returns the owners whose status let rules go first, and for whom no rules wait any more.
func (r *Reconciler) RulesRanDry() []addressbook.Owner { return r.waiting.take(r.rules) }

// sizeOf is about how many bytes a policy with that status has.
func sizeOf(status *v1alpha1.FQDNEgressPolicyStatus) int {
	const restOfPolicy = 2 << 10
	raw, err := json.Marshal(status)
	if err != nil {
		return restOfPolicy // these types marshal always
	}
	return len(raw) + restOfPolicy
}

// figuresOf returns what a policy adds to the gauges.
func figuresOf(status v1alpha1.FQDNEgressPolicyStatus, f findings) metrics.Policy {
	p := metrics.Policy{
		Ready: meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady), Refused: f.result.Refused, Limits: f.limits(),
	}
	for _, s := range status.FQDNs {
		if reason := unresolvedReason(s); reason != "" {
			if p.Unresolved == nil {
				p.Unresolved = map[string]int{}
			}
			p.Unresolved[reason]++
		}
	}
	return p
}

func nameOf(o addressbook.Owner) types.NamespacedName {
	return types.NamespacedName{Namespace: o.Namespace, Name: o.Name}
}
