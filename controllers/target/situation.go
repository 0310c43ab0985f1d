// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/controllers/metrics"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// PolicyIndex is the cache index of NetworkPolicies by the policies that they concern: see IndexedPolicies.
const PolicyIndex = "fqdnegress.dev/policy"

// IndexedPolicies returns under which policies a NetworkPolicy is in PolicyIndex: those that it concerns, but for the one whose first
// object has its name. That one is read by its name always, and a place in an index takes 0.7 kB.
//
//	web-fqdn of policy web            none: most of them
//	web-fqdn-1 of policy web          web
//	web-fqdn with the label of shop   shop
//	old-rules that policy web owns    web
func IndexedPolicies(np client.Object) []string {
	kind := netpol.NamespacedKind()
	return slices.DeleteFunc(netpol.PoliciesOf(np.(*networkingv1.NetworkPolicy), kind), func(policy string) bool {
		return netpol.Identity{Kind: kind, Name: policy}.ObjectName(0) == np.GetName()
	})
}

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
	limit   metrics.Limit  // of peers, the one that is closest
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
