// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/clusterdns"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// policyIndex is the cache index of NetworkPolicies by the policies that they concern.
const policyIndex = "fqdnegress.dev/policy"

// observation is all that one reconcile looks at, read once.
type observation struct {
	policy   *v1alpha1.FQDNEgressPolicy
	snapshot addressbook.Snapshot
	live     []networkingv1.NetworkPolicy // what the API has; kept up to date by our own writes
	memory   *memory
	dns      clusterdns.Facts
	input    netpol.Input // what Compile decides on, made of the above
	why      string       // something is written
}

func (r *PolicyReconciler) observe(
	ctx context.Context, policy *v1alpha1.FQDNEgressPolicy, snapshot addressbook.Snapshot, now time.Time,
) (observation, error) {
	live, err := r.networkPolicies(ctx, policy)
	if err != nil {
		return observation{}, err
	}
	guard, err := r.Guard(ctx)
	if err != nil {
		return observation{}, err
	}
	facts := r.ClusterDNS.Facts()
	dns := dnsOf(facts, r.Options)
	memory := r.memories.of(policy, now)
	if snapshot.Served > 0 && memory.servedAt.IsZero() {
		memory.servedAt = now
	}
	neutral := netpol.PolicyOf(policy)
	memory.look(viewOf(policy), func() netpol.Carried {
		return netpol.CarriedFrom(neutral, netpol.StatusAddresses(&policy.Status), live, dns, now)
	})
	return observation{
		policy: policy, snapshot: snapshot, live: live, memory: memory, dns: facts,
		input: netpol.Input{
			Policy:   neutral,
			Names:    namesOf(snapshot),
			Carried:  memory.carried,
			MaxStale: r.Options.MaxStale,
			Live:     live,
			DNS:      dns,
			Guard:    guard,
		},
	}, nil
}

// networkPolicies returns the NetworkPolicies that concern the policy, ours or not. The list finds what there is; each
// is then read by its name, since only that waits for our own last write to be in the cache (a list would wait
// for the writes of all policies).
func (r *PolicyReconciler) networkPolicies(
	ctx context.Context, policy *v1alpha1.FQDNEgressPolicy,
) ([]networkingv1.NetworkPolicy, error) {
	list := &networkingv1.NetworkPolicyList{}
	if err := r.Client.List(ctx, list, client.InNamespace(policy.Namespace), client.MatchingFields{policyIndex: policy.Name},
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
		err := r.Client.Get(ctx, types.NamespacedName{Namespace: policy.Namespace, Name: name}, &np)
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

// Guard returns the guard without what a policy allows: the blocks that no answer may open, whatever it says. It reads
// from the cache.
func (r *PolicyReconciler) Guard(ctx context.Context) (netpol.Guard, error) {
	blocks := slices.Clone(r.Options.ClusterCIDRs)
	if !r.Options.ServiceCIDRs {
		return netpol.Guard{Cluster: blocks, NAT64: r.Options.NAT64Prefixes}, nil
	}
	list := &networkingv1.ServiceCIDRList{}
	if err := r.Client.List(ctx, list, client.DisableReadYourWritesConsistency, client.UnsafeDisableDeepCopy); err != nil {
		return netpol.Guard{}, fmt.Errorf("listing ServiceCIDRs: %w", err)
	}
	for _, sc := range list.Items {
		for _, cidr := range sc.Spec.CIDRs {
			if block, err := netip.ParsePrefix(cidr); err == nil {
				blocks = append(blocks, block)
			}
		}
	}
	slices.SortFunc(blocks, netip.Prefix.Compare)
	return netpol.Guard{Cluster: slices.Compact(blocks), NAT64: r.Options.NAT64Prefixes}, nil
}

// ownedBy returns those of live that are the policy's, or were before it was deleted and created again.
func ownedBy(policy *v1alpha1.FQDNEgressPolicy, live []networkingv1.NetworkPolicy) []networkingv1.NetworkPolicy {
	var owned []networkingv1.NetworkPolicy
	for _, np := range live {
		if netpol.OwnershipOf(&np, netpol.IdentityOf(policy)) != netpol.Foreign {
			owned = append(owned, np)
		}
	}
	return owned
}

// firstWriteAt returns until when the first write waits for the names: to apply a policy to running pods must not cut them
// off from hosts that only take a moment to resolve. Zero: it does not wait. A restart has nothing to wait for, unless
// the spec got rules meanwhile for which nothing was carried: other ports of the same names, for one.
//
//	all names are answered        it does not wait
//	there is a server to ask      until 2 s after each name was wanted, or after the server was there
//	there is none                 until 30 s after the policy was created (a crash loop does not renew that), or the first
//	                              name was wanted, if the API server's clock is ahead of ours
func firstWriteAt(in observation) time.Time {
	carries := in.memory.generation != 0 || in.memory.carried.Covers(in.input.Policy)
	if len(ownedBy(in.policy, in.live)) > 0 && carries {
		return time.Time{}
	}
	at := namesDueAt(in.snapshot, firstWriteWait)
	if at.IsZero() {
		return time.Time{}
	}
	limit := earliest(in.policy.CreationTimestamp.Add(unservedWait), at.Add(unservedWait-firstWriteWait))
	served := limit
	if !in.memory.servedAt.IsZero() {
		served = earliest(in.memory.servedAt.Add(firstWriteWait), limit)
	}
	if served.After(at) {
		return served
	}
	return at
}

// namesDueAt returns when names that were not answered yet were wanted for so long. Zero: all are answered.
func namesDueAt(s addressbook.Snapshot, wait time.Duration) time.Time {
	var at time.Time
	for _, e := range s.Entries {
		if _, exact := e.Pattern.Exact(); !exact || !e.Answered.IsZero() {
			continue
		}
		if end := e.Wanted.Add(wait); end.After(at) {
			at = end
		}
	}
	return at
}
