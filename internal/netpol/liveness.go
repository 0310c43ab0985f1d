// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"net/netip"
	"slices"
	"sync"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// Liveness says what the objects in the API allow a policy's pods, whatever was planned.
type Liveness struct {
	// Objects are the names of the NetworkPolicies that are Ours or Adoptable: by number, then those of other names.
	Objects []string
	// Addresses are the single addresses that they allow, sorted and distinct, but for the DNS rule and for ipBlocks of the
	// spec that no answer brought.
	Addresses []netip.Addr
	// For has the addresses of each pattern among them, sorted and distinct. A pattern without one has no entry. An address
	// that the plan gives to no pattern is that of the patterns that the annotation names; it may be one that the spec lists
	// no more.
	For map[fqdn.Pattern][]netip.Addr
}

// Live reads what is live after the steps of plan were carried out, or some of them: objects are the policy's NetworkPolicies
// as they are in the API now. in and plan are those of the Compile that decided on the steps.
func Live(in Input, plan Plan, objects []networkingv1.NetworkPolicy) Liveness {
	in = in.withDefaults()
	l := liveness{plan: plan, id: in.Policy.Identity, today: in.DNS.rules(), rules: map[RuleKey]*rule{}}
	l.For = map[fqdn.Pattern][]netip.Addr{}
	rules := mergeRules(in.Policy.Rules)
	for i := range rules {
		l.rules[rules[i].ports.Key] = &rules[i]
	}
	for i := range objects {
		if np := &objects[i]; OwnershipOf(np, in.Policy.Identity) != Foreign {
			l.Objects = append(l.Objects, np.Name)
			l.read(np)
		}
	}
	slices.SortFunc(l.Objects, in.Policy.compareObjectNames)
	l.Objects = slices.Compact(l.Objects)
	l.Addresses = sortedAddrs(l.Addresses)
	for p, addrs := range l.For {
		l.For[p] = sortedAddrs(addrs)
	}
	return l.Liveness
}

// liveness is a Liveness under construction.
type liveness struct {
	Liveness
	plan  Plan
	id    Identity
	today []RuleGrants
	rules map[RuleKey]*rule // of the spec
}

func (l *liveness) read(np *networkingv1.NetworkPolicy) {
	index, ok := l.id.indexOf(np.Name)
	if !ok {
		index = 0 // a copy of whichever object: it may have a DNS rule
	}
	object := readObject(np, index, l.today)
	owners := sync.OnceValue(func() addressesFor { return ownersFrom(np) }) // rarely needed
	for _, r := range object.specRules() {
		addrs := slices.DeleteFunc(r.addrs, func(a netip.Addr) bool { return !a.IsValid() })
		l.rule(r.ports.Key, sortedAddrs(addrs), owners)
	}
}

// rule takes the addresses of one live rule, sorted. The plan's word counts where it has one: the annotation was written
// some time ago.
func (l *liveness) rule(key RuleKey, addrs []netip.Addr, owners func() addressesFor) {
	claimed := make([]bool, len(addrs))
	r := l.rules[key]
	if r == nil {
		r = &rule{}
	}
	for _, p := range r.patterns {
		l.claim(p, l.plan.Allowed[p], addrs, claimed)
		l.claim(p, l.plan.CarriedFor[p], addrs, claimed)
	}
	for i, a := range addrs {
		switch {
		case claimed[i]:
			l.Addresses = append(l.Addresses, a)
		case !r.blocks[a]:
			l.orphan(a, owners().of(key, a))
		}
	}
}

// claim notes which of addrs the plan has for p in the same rule. Both lists are sorted.
func (l *liveness) claim(p fqdn.Pattern, planned, addrs []netip.Addr, claimed []bool) {
	list, i := slices.Grow(l.For[p], len(planned)), 0
	for _, a := range planned {
		for i < len(addrs) && addrs[i].Less(a) {
			i++
		}
		if i < len(addrs) && addrs[i] == a {
			claimed[i] = true
			list = append(list, a)
		}
	}
	if len(list) > 0 {
		l.For[p] = list
	}
}

// orphan takes an address that the plan has for no pattern: it is to go, it was carried, or somebody else added it.
func (l *liveness) orphan(a netip.Addr, owners []addressFor) {
	if slices.Equal(owners, []addressFor{{spec: true}}) {
		return // an ipBlock of an older spec
	}
	l.Addresses = append(l.Addresses, a)
	for _, o := range owners {
		if (o.pattern != fqdn.Pattern{}) {
			l.For[o.pattern] = append(l.For[o.pattern], a)
		}
	}
}
