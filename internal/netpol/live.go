// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"net/netip"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
)

// live is what the API has of a policy.
type live struct {
	objects []liveObject                  // by number: Ours or Adoptable
	foreign map[int]bool                  // by number: somebody else has the name
	strays  []*networkingv1.NetworkPolicy // Ours, of a name that we do not use; sorted by name
	stands  map[RuleKey][]standing        // by the ports of a rule, whether the spec has them or not; the DNS rules left out
}

// liveObject is a NetworkPolicy as read; without one it is zero.
type liveObject struct {
	np    *networkingv1.NetworkPolicy
	rules []liveRule // its egress rules
	leads int        // how many of them are the DNS rules, which come first
}

// liveRule is an egress rule as read.
type liveRule struct {
	ports Ports
	rule  *networkingv1.NetworkPolicyEgressRule
	addrs []netip.Addr // of each peer of rule; not valid: the peer is not one address
}

// standing says which object has an address: the first one, if several have it. Lists of them are sorted and distinct.
type standing struct {
	addr   netip.Addr
	object int
}

// readLive sorts what is live by whose it is and reads what is ours. today are the DNS rules as they should be. In mode Audit
// no name is needed, so none is foreign.
func readLive(in *Input, today []networkingv1.NetworkPolicyEgressRule) live {
	l := live{foreign: map[int]bool{}}
	for i := range in.Live {
		np := &in.Live[i]
		index, ok := in.Policy.indexOf(np.Name)
		used := ok && index < in.MaxObjects && np.Namespace == in.Policy.Namespace
		switch owner := OwnershipOf(np, in.Policy.Identity); {
		case owner == Foreign && used:
			l.foreign[index] = !in.Policy.Audit
		case owner == Foreign:
		case used:
			for len(l.objects) <= index {
				l.objects = append(l.objects, liveObject{})
			}
			l.objects[index] = readObject(np, index, today)
		default:
			l.strays = append(l.strays, np)
		}
	}
	slices.SortFunc(l.strays, func(a, b *networkingv1.NetworkPolicy) int { return strings.Compare(a.Name, b.Name) })
	l.stands = standingsOf(l.objects)
	return l
}

// readObject reads the index-th object.
func readObject(np *networkingv1.NetworkPolicy, index int, today []networkingv1.NetworkPolicyEgressRule) liveObject {
	o := liveObject{np: np, rules: readRules(np.Spec.Egress)}
	if index == 0 { // the DNS rules stand in the first object only
		o.leads = dnsLeads(o.rules, today)
	}
	return o
}

func readRules(egress []networkingv1.NetworkPolicyEgressRule) []liveRule {
	rules := make([]liveRule, len(egress))
	for i := range egress {
		rules[i] = liveRule{ports: portsFrom(egress[i].Ports), rule: &egress[i], addrs: make([]netip.Addr, len(egress[i].To))}
		for j := range egress[i].To {
			if a, ok := singleAddress(&egress[i].To[j]); ok {
				rules[i].addrs[j] = a
			}
		}
	}
	return rules
}

// specRules are those that are not the DNS rules.
func (o *liveObject) specRules() []liveRule { return o.rules[o.leads:] }

func standingsOf(objects []liveObject) map[RuleKey][]standing {
	all := map[RuleKey][]standing{}
	for i := range objects {
		for _, r := range objects[i].specRules() {
			list := slices.Grow(all[r.ports.Key], len(r.addrs))
			for _, a := range r.addrs {
				if a.IsValid() {
					list = append(list, standing{a, i})
				}
			}
			all[r.ports.Key] = list
		}
	}
	byAddr := func(a, b standing) int { return a.addr.Compare(b.addr) }
	for key, list := range all {
		if !slices.IsSortedFunc(list, byAddr) {
			slices.SortStableFunc(list, byAddr)
		}
		all[key] = slices.CompactFunc(list, func(a, b standing) bool { return a.addr == b.addr })
	}
	return all
}

// at returns the index-th object, zero if there is none.
func (l *live) at(index int) liveObject {
	if index < len(l.objects) {
		return l.objects[index]
	}
	return liveObject{}
}

// objectOf returns the object that has a at those ports.
func (l *live) objectOf(ports RuleKey, a netip.Addr) (object int, ok bool) {
	return objectIn(l.stands[ports], a)
}

// has tells whether some object has a at those ports.
func (l *live) has(ports RuleKey, a netip.Addr) bool {
	_, ok := l.objectOf(ports, a)
	return ok
}

// anyObjectWith returns the first object that has a at whatever ports.
func (l *live) anyObjectWith(a netip.Addr) (object int, ok bool) {
	for _, list := range l.stands {
		if i, found := objectIn(list, a); found && (!ok || i < object) {
			object, ok = i, true
		}
	}
	return object, ok
}

func objectIn(list []standing, a netip.Addr) (object int, ok bool) {
	i, ok := slices.BinarySearchFunc(list, a, func(s standing, a netip.Addr) int { return s.addr.Compare(a) })
	if !ok {
		return 0, false
	}
	return list[i].object, true
}
