// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// PolicyIndex is the cache index of NetworkPolicies by the policies that they concern.
const PolicyIndex = "fqdnegress.dev/policy"

// situation is all that one reconcile looks at. The policy and the NetworkPolicies belong to the cache: nobody changes them.
type situation struct {
	key      Key
	policy   *v1alpha1.FQDNEgressPolicy
	snapshot addressbook.Snapshot
	memory   *memory
	dns      netpol.DNS
	guard    netpol.Guard
	live     []networkingv1.NetworkPolicy // by name, what the API has; our own writes keep it up to date

	neutral *netpol.Policy // see rules
	why     string         // something is written, for the log
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
// finds what there is; each is then read by its name, since only that waits for our own last write to be in the cache (a list
// would wait for the writes of all policies).
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

// basis returns what the decision is made of.
func (s *situation) basis() basis {
	return basis{
		generation: s.policy.Generation,
		snapshot:   s.snapshot.Revision,
		live:       hashOfLive(s.live),
		cluster:    hashOfCluster(s.dns, s.guard),
	}
}

// rules returns the policy as the compiler knows it.
func (s *situation) rules() netpol.Policy {
	if s.neutral == nil {
		p := netpol.PolicyOf(s.policy)
		s.neutral = &p
	}
	return *s.neutral
}

// input returns what Compile decides on.
func (s *situation) input(o Options) netpol.Input {
	return netpol.Input{
		Policy:   s.rules(),
		Names:    namesOf(s.snapshot),
		Carried:  s.memory.carried.rules,
		MaxStale: o.MaxStale,
		Live:     s.live,
		DNS:      s.dns,
		Guard:    s.guard,
	}
}

func (s *situation) isAudit() bool { return s.policy.Spec.Mode == v1alpha1.ModeAudit }

// owned returns those of the live NetworkPolicies that are the policy's, or were before it was deleted and created again.
func (s *situation) owned() []networkingv1.NetworkPolicy {
	var owned []networkingv1.NetworkPolicy
	for i := range s.live {
		if netpol.OwnershipOf(&s.live[i], netpol.IdentityOf(s.policy)) != netpol.Foreign {
			owned = append(owned, s.live[i])
		}
	}
	return owned
}

// find returns the live NetworkPolicy of that name; nil if there is none.
func (s *situation) find(name string) *networkingv1.NetworkPolicy {
	for i := range s.live {
		if s.live[i].Name == name {
			return &s.live[i]
		}
	}
	return nil
}

// take makes the situation what the API has after a step.
func (s *situation) take(verb netpol.Verb, np *networkingv1.NetworkPolicy) {
	live := slices.DeleteFunc(slices.Clone(s.live), func(old networkingv1.NetworkPolicy) bool { return old.Name == np.Name })
	if verb != netpol.Delete {
		live = append(live, *np)
		slices.SortFunc(live, func(a, b networkingv1.NetworkPolicy) int { return strings.Compare(a.Name, b.Name) })
	}
	s.live = live
}
