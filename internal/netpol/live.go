// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"net/netip"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
)

// live is what the API has.
type live struct {
	objects []*networkingv1.NetworkPolicy // by index: Ours or Adoptable, or nil
	foreign []bool                        // by index: the name is taken
	strays  []*networkingv1.NetworkPolicy // Ours, of a name that we do not use; sorted by name
	at      map[place]int                 // the first object that holds an address in a rule
	holds   map[netip.Addr]int            // the first object that holds an address in whatever rule
}

// place is an address in a rule of the spec.
type place struct {
	rule int
	addr netip.Addr
}

// readLive sorts in.Live and indexes the addresses. today are the DNS rules as they should be.
func readLive(in *Input, rules []rule, today []networkingv1.NetworkPolicyEgressRule) *live {
	l := &live{
		objects: make([]*networkingv1.NetworkPolicy, in.MaxObjects),
		foreign: make([]bool, in.MaxObjects),
	}
	for i := range in.Live {
		l.sort(in, &in.Live[i])
	}
	slices.SortFunc(l.strays, func(a, b *networkingv1.NetworkPolicy) int { return strings.Compare(a.Name, b.Name) })

	peers := 0
	for _, np := range l.objects {
		if np != nil {
			for i := range np.Spec.Egress {
				peers += len(np.Spec.Egress[i].To)
			}
		}
	}
	l.at, l.holds = make(map[place]int, peers), make(map[netip.Addr]int, peers)
	keys := make(map[RuleKey]int, len(rules))
	for i := range rules {
		keys[rules[i].key] = i
	}
	for i, np := range slices.Backward(l.objects) { // so that the first object has the last word
		if np != nil {
			l.index(i, specRules(np, i, today), keys)
		}
	}
	return l
}

func (l *live) sort(in *Input, np *networkingv1.NetworkPolicy) {
	index, ok := in.Policy.indexOf(np.Name)
	used := ok && index < in.MaxObjects && np.Namespace == in.Policy.Namespace
	switch owner := OwnershipOf(np, in.Policy.Identity); {
	case owner == Foreign && used:
		l.foreign[index] = true
	case owner == Foreign:
	case used:
		l.objects[index] = np
	default:
		l.strays = append(l.strays, np)
	}
}

func (l *live) index(object int, egress []networkingv1.NetworkPolicyEgressRule, keys map[RuleKey]int) {
	for i := range egress {
		_, key := canonicalPorts(egress[i].Ports)
		rule, wanted := keys[key]
		for j := range egress[i].To {
			a, ok := singleAddress(&egress[i].To[j])
			if !ok {
				continue
			}
			l.holds[a] = object
			if wanted {
				l.at[place{rule, a}] = object
			}
		}
	}
}

// has tells whether some object holds a in that rule.
func (l *live) has(rule int, a netip.Addr) bool {
	_, ok := l.at[place{rule, a}]
	return ok
}
