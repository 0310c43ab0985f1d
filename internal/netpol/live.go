// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// live has the objects of a policy that are in the API.
type live struct {
	objects []liveObject                  // by number: Ours or Adoptable
	foreign map[int]bool                  // by number: somebody else has the name
	strays  []*networkingv1.NetworkPolicy // Ours, of a name that we do not use; sorted by name
	holders map[RuleKey][]holder          // by the ports of a rule, whether the spec has them or not; the DNS rules left out
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

// holder says which object has an address: the first one, if several have it. Lists of them are sorted and distinct.
type holder struct {
	addr   netip.Addr
	object int
}

// readLive sorts the live objects by whose they are and reads those that are ours. today are the DNS rules as they should
// be. In mode Audit no name is needed, so none is foreign.
func readLive(in *Input, today []RuleGrants) live {
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
	l.holders = liveHolders(l.objects)
	return l
}

// readObject reads the index-th object.
func readObject(np *networkingv1.NetworkPolicy, index int, today []RuleGrants) liveObject {
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

// singleAddress returns the address of a peer that is one address: a /32 or /128 block and nothing else.
func singleAddress(p *networkingv1.NetworkPolicyPeer) (netip.Addr, bool) {
	if p.IPBlock == nil || len(p.IPBlock.Except) > 0 || p.PodSelector != nil || p.NamespaceSelector != nil {
		return netip.Addr{}, false
	}
	text, bits, found := strings.Cut(p.IPBlock.CIDR, "/")
	if !found || bits != "32" && bits != "128" {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" || (bits == "32") != a.Is4() {
		return netip.Addr{}, false
	}
	return a, true
}

// dnsLeads returns how many of the rules of a live first object are the DNS rules, which lead it. The facts of the DNS may
// have changed since they were written, so it looks at the form: a leading rule is the DNS rule when
//
//   - it is one of today's; or
//   - a later rule has the same ports, for rules of the spec with equal ports are one; or
//   - it ends with a peer of the form that only the DNS rule ends with: in a rule of the spec the addresses come last.
//
// One case is missed: a rule of addresses alone, to an old DNS Service without pods at the same ports. It is then read as a
// rule of the spec. That opens nothing: the spec must have a rule for those very ports, the addresses must pass the guard
// (which refuses the Service range and link-local), and the pods could reach them a moment ago. The opposite mistake would
// shrink the policy, so it is the one to avoid.
func dnsLeads(rules []liveRule, today []RuleGrants) int {
	n := 0
	for n < 2 && n < len(rules) {
		if r := &rules[n]; !slices.ContainsFunc(today, r.is) && !isRepeated(rules[n:]) && !endsWithDNSPods(r) {
			break
		}
		n++
	}
	return n
}

// isRepeated tells whether a later rule has the ports of the first.
func isRepeated(rules []liveRule) bool {
	return slices.ContainsFunc(rules[1:], func(r liveRule) bool { return r.ports.Key == rules[0].ports.Key })
}

// endsWithDNSPods tells whether the last peer is some pods of one namespace by name, and only addresses precede it.
func endsWithDNSPods(r *liveRule) bool {
	last := len(r.rule.To) - 1
	if last < 0 || slices.ContainsFunc(r.addrs[:last], func(a netip.Addr) bool { return !a.IsValid() }) {
		return false
	}
	p := &r.rule.To[last]
	return p.NamespaceSelector != nil && p.NamespaceSelector.MatchLabels[corev1.LabelMetadataName] != "" &&
		p.PodSelector != nil && len(p.PodSelector.MatchLabels) > 0
}

// is tells whether a live rule is as egressOf would write it, by meaning: how an address is spelled is no difference, nor
// is an endPort that repeats the port.
func (l *liveRule) is(want RuleGrants) bool {
	if !slices.EqualFunc(l.rule.Ports, want.Ports.List, equalPorts) {
		return false
	}
	n := 0
	for _, grants := range [][]Grant{want.Spec, want.Names} {
		for i := range grants {
			g := &grants[i]
			if g.Listed {
				continue
			}
			if n == len(l.addrs) || l.addrs[n] != g.Addr || g.Peer != nil && !equalPeers(&l.rule.To[n], g.Peer) {
				return false
			}
			n++
		}
	}
	return n == len(l.addrs)
}

// specRules are those that are not the DNS rules.
func (o *liveObject) specRules() []liveRule { return o.rules[o.leads:] }

func liveHolders(objects []liveObject) map[RuleKey][]holder {
	all := map[RuleKey][]holder{}
	for i := range objects {
		for _, r := range objects[i].specRules() {
			list := slices.Grow(all[r.ports.Key], len(r.addrs))
			for _, a := range r.addrs {
				if a.IsValid() {
					list = append(list, holder{a, i})
				}
			}
			all[r.ports.Key] = list
		}
	}
	byAddr := func(a, b holder) int { return a.addr.Compare(b.addr) }
	for key, list := range all {
		if !slices.IsSortedFunc(list, byAddr) {
			slices.SortStableFunc(list, byAddr)
		}
		all[key] = slices.CompactFunc(list, func(a, b holder) bool { return a.addr == b.addr })
	}
	return all
}

// peers returns how many peers the objects have together.
func (l *live) peers() int {
	n := 0
	for i := range l.objects {
		for j := range l.objects[i].rules {
			n += len(l.objects[i].rules[j].addrs)
		}
	}
	for _, np := range l.strays {
		for i := range np.Spec.Egress {
			n += len(np.Spec.Egress[i].To)
		}
	}
	return n
}

// has tells whether some object has a at those ports.
func (l *live) has(ports RuleKey, a netip.Addr) bool {
	_, ok := objectIn(l.holders[ports], a)
	return ok
}

func objectIn(list []holder, a netip.Addr) (object int, ok bool) {
	i, ok := slices.BinarySearchFunc(list, a, func(s holder, a netip.Addr) int { return s.addr.Compare(a) })
	if !ok {
		return 0, false
	}
	return list[i].object, true
}
