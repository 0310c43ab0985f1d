// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/controllers/metrics"
	"github.com/fqdn-egress/fqdn-egress/controllers/when"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// API is how the API server is reached.
type API struct {
	// Client reads from the manager's cache, and reads what it wrote (EnableReadYourWritesConsistency).
	Client client.Client
	// Live reads from the API server: for the owner of a NetworkPolicy that the cache does not show yet.
	Live client.Reader
}

// Clock tells the time, and calls back.
type Clock = clock.WithDelayedExecution

// Reconciler reconciles targets. Its methods are safe for concurrent use, Reconcile with different keys.
type Reconciler struct {
	api     API
	book    Book
	dns     ClusterDNS
	guard   GuardFunc
	fence   Fence
	results *Results
	clock   Clock
	metrics *metrics.Metrics
	options Options

	memories memories
	pace     pace
	peers    *peerCounts
}

// New returns a Reconciler that puts what comes of each target into results.
func New(
	api API, book Book, dns ClusterDNS, guard GuardFunc, fence Fence, results *Results, clock Clock, m *metrics.Metrics, o Options,
) *Reconciler {
	return &Reconciler{
		api: api, book: book, dns: dns, guard: guard, fence: fence, results: results, clock: clock, metrics: m, options: o,
		peers: newPeerCounts(o),
	}
}

// OnRoom sets the function that is called with a target of which peers were left out, when there is room for more. It must not block.
// Set it before the first reconcile.
func (r *Reconciler) OnRoom(awaken func(Key)) {
	r.peers.mu.Lock()
	defer r.peers.mu.Unlock()
	r.peers.awaken = awaken
}

// Reconcile makes one target true, and asks to be called again when time alone would change the decision.
//
//	load      the policy, what the book knows for it, its NetworkPolicies; nothing more, if nothing changed
//	pace      a turn to write, or when it comes
//	compile   what is to be written, as far as there is room for it
//	write     what differs, additions first
//	remember  what was written and what it tells
//	result    for the status
func (r *Reconciler) Reconcile(ctx context.Context, key Key) (reconcile.Result, error) {
	now := r.clock.Now()
	if err := r.countPeers(ctx); err != nil {
		return reconcile.Result{}, err
	}
	s, err := r.load(ctx, key, now)
	if err != nil {
		return reconcile.Result{}, err
	}
	if s == nil {
		r.forget(key, now)
		return reconcile.Result{}, nil
	}
	if s.memory.looked.still(s.basis(), now) && !r.peers.isAwake(key) {
		return when.Again(now, s.memory.looked.next), nil
	}
	if at := r.reserveWrite(s, now); at.After(now) {
		return when.Again(now, at, s.snapshot.Next), nil
	}
	done := r.write(ctx, s, r.compile(s, now), now)
	r.remember(s, &done, now)
	switch {
	case errors.Is(done.err, errStopped):
		return reconcile.Result{RequeueAfter: FenceInterval}, nil // the process is about to end
	case !done.behind || s.memory.contest.on(): // else the next look says it
		result := resultOf(s, done, r.options, now)
		r.results.Put(key, &result)
	}
	if done.err != nil {
		return reconcile.Result{}, done.err
	}
	if !s.memory.looked.done {
		return when.Again(now, done.retryAt), nil
	}
	return when.Again(now, s.memory.looked.next), nil
}

// forget drops all that is remembered of a target that is gone or going: nothing is written for it any more.
func (r *Reconciler) forget(key Key, now time.Time) {
	r.book.Forget(key.Owner)
	if m := r.memories.forget(key); m != nil {
		r.pace.settle(&m.pace, key.Tenant(), cost{}, cost{}, now) // a turn that it waited for
	}
	r.peers.forget(key)
	r.results.forget(key)
}

// load reads the situation; nil if the policy is gone or going.
func (r *Reconciler) load(ctx context.Context, key Key, now time.Time) (*situation, error) {
	policy := &v1alpha1.FQDNEgressPolicy{}
	err := r.api.Client.Get(ctx, key.Policy(), policy, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(err) || (err == nil && !policy.DeletionTimestamp.IsZero()) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading policy: %w", err)
	}
	s := &situation{key: key, policy: policy, memory: r.memories.of(key, policy.UID), dns: dnsOf(r.dns.Facts(), r.options.ExtraDNS)}
	if s.live, err = r.networkPolicies(ctx, policy); err != nil {
		return nil, err
	}
	s.memory.carried.look(viewOf(policy), func() netpol.Carried {
		return netpol.CarriedFrom(s.rules(), netpol.StatusAddresses(&policy.Status), s.live, s.dns, now)
	})
	if s.memory.wants != policy.Generation {
		wants := wantsOf(policy)
		if s.memory.wants == 0 {
			wants.Held = s.memory.carried.rules.Held(s.rules())
		}
		r.book.Want(key.Owner, wants, now)
		s.memory.wants = policy.Generation
	}
	s.snapshot = r.book.Snapshot(key.Owner, now)
	if s.snapshot.Served > 0 && s.memory.servedAt.IsZero() {
		s.memory.servedAt = now
	}
	if s.guard, err = r.guard(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// networkPolicies returns the NetworkPolicies that concern the policy, ours or not, in the order of their names. The list
// finds what there is beside the first object; each is then read by its name, since only that waits for our own last write to be in
// the cache (a list would wait for the writes of all policies).
func (r *Reconciler) networkPolicies(
	ctx context.Context, policy *v1alpha1.FQDNEgressPolicy,
) ([]networkingv1.NetworkPolicy, error) {
	list := &networkingv1.NetworkPolicyList{}
	if err := r.api.Client.List(ctx, list, client.InNamespace(policy.Namespace), client.MatchingFields{PolicyIndex: policy.Name},
		client.DisableReadYourWritesConsistency, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing NetworkPolicies: %w", err)
	}
	names := []string{netpol.IdentityOf(policy).ObjectName(0)}
	for _, np := range list.Items {
		names = append(names, np.Name)
	}
	names = append(names, policy.Status.NetworkPolicies...)
	slices.Sort(names)

	var live []networkingv1.NetworkPolicy
	for _, name := range slices.Compact(names) {
		np := networkingv1.NetworkPolicy{}
		err := r.api.Client.Get(ctx, types.NamespacedName{Namespace: policy.Namespace, Name: name}, &np, client.UnsafeDisableDeepCopy)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading NetworkPolicy %s: %w", name, err)
		}
		live = append(live, np)
	}
	return live, nil
}
