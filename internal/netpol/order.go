// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"cmp"
	"net/netip"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
)

// sequence finds out which grants each change gains and loses. It puts changes that gain some first and the deletions last.
func sequence(changes []change) []change {
	changes = slices.Clone(changes)
	for i := range changes {
		before, after := grantsIn(changes[i].have.rules), changes[i].want.grants()
		changes[i].gained, changes[i].lost = without(after, before), indexGrants(without(before, after))
	}
	rank := func(ch change) int {
		switch {
		case ch.want == nil:
			return 2
		case len(ch.gained) == 0:
			return 1
		}
		return 0
	}
	slices.SortStableFunc(changes, func(a, b change) int { return cmp.Compare(rank(a), rank(b)) })
	return changes
}

// nextChange returns the first change that owes nothing, or -1. The deletions, which stand last and which nothing waits
// for, wait for all others.
func nextChange(changes []change) int {
	if changes[0].want == nil {
		return 0
	}
	for i := range changes {
		if changes[i].want != nil && len(owed(changes, i)) == 0 {
			return i
		}
	}
	return -1
}

// owed returns the grants that other changes still have to add and that overlap a grant which only the i-th object has now and
// will lose. Until they are added the i-th change must wait, or traffic that is allowed before and after the plan could be
// blocked in between. Such traffic is allowed after the plan by one of three:
//
//	the i-th object itself                  it is never blocked
//	another object that allows it already   it is never blocked
//	another object that is yet to gain it   it is blocked from the i-th change until that gain
func owed(changes []change, i int) []Grant {
	var owed []Grant
	for j := range changes {
		if j == i {
			continue
		}
		for _, g := range changes[j].gained {
			if changes[i].lost.overlaps(&g) {
				owed = append(owed, g)
			}
		}
	}
	return owed
}

// grantID is equal for equal grants.
type grantID struct {
	ports RuleKey
	addr  netip.Addr
	peer  string // empty without an address: every destination
}

func (g *Grant) id() grantID {
	id := grantID{ports: g.Ports.Key, addr: g.Addr}
	if g.Peer != nil {
		id.peer = peerID(*g.Peer)
	}
	return id
}

// grants lists the grants of an object. A nil object has none.
func (o *object) grants() []Grant {
	if o == nil {
		return nil
	}
	var all []Grant
	for i := range o.rules {
		all = append(all, o.rules[i].Spec...)
		all = append(all, o.rules[i].Names...)
	}
	return all
}

// grantsIn lists the grants of live rules.
func grantsIn(rules []liveRule) []Grant {
	var all []Grant
	for i := range rules {
		r := &rules[i]
		if len(r.addrs) == 0 {
			all = append(all, Grant{Ports: &r.ports})
		}
		for j, a := range r.addrs {
			g := Grant{Ports: &r.ports, Addr: a}
			if !a.IsValid() {
				g.Peer = &r.rule.To[j]
			}
			all = append(all, g)
		}
	}
	return all
}

// without returns the grants that others lacks.
func without(grants, others []Grant) []Grant {
	ids := make(map[grantID]bool, len(others))
	for i := range others {
		ids[others[i].id()] = true
	}
	var out []Grant
	for i := range grants {
		if !ids[grants[i].id()] {
			out = append(out, grants[i])
		}
	}
	return out
}

// block returns the addresses of a grant; not valid: they are not known (selectors), or it is every destination.
func (g *Grant) block() netip.Prefix {
	switch {
	case g.Addr.IsValid():
		return netip.PrefixFrom(g.Addr, g.Addr.BitLen())
	case g.Peer != nil && g.Peer.IPBlock != nil:
		if p, err := netip.ParsePrefix(g.Peer.IPBlock.CIDR); err == nil {
			return p
		}
	}
	return netip.Prefix{}
}

// overlap tells whether there may be traffic that two grants allow, which have these blocks. It says yes when in doubt: the
// labels of pods and which pods are behind an address are not known here, and `except` is not looked at.
func overlap(a *Grant, blockA netip.Prefix, b *Grant, blockB netip.Prefix) bool {
	if blockA.IsValid() && blockB.IsValid() && !blockA.Overlaps(blockB) {
		return false
	}
	if a.Ports.Key == "" || b.Ports.Key == "" {
		return true
	}
	return slices.ContainsFunc(a.Ports.List, func(x networkingv1.NetworkPolicyPort) bool {
		return slices.ContainsFunc(b.Ports.List, func(y networkingv1.NetworkPolicyPort) bool {
			return spanOf(&x).overlaps(spanOf(&y))
		})
	})
}

// grantIndex answers quickly which grants overlap one of a set.
type grantIndex struct {
	all    []Grant
	blocks []netip.Prefix       // of all
	single map[netip.Addr][]int // those of one address
	wide   []int                // all others
}

func indexGrants(grants []Grant) grantIndex {
	x := grantIndex{all: grants, blocks: make([]netip.Prefix, len(grants)), single: make(map[netip.Addr][]int, len(grants))}
	for i := range grants {
		b := grants[i].block()
		x.blocks[i] = b
		if b.IsValid() && b.IsSingleIP() {
			x.single[b.Addr()] = append(x.single[b.Addr()], i)
		} else {
			x.wide = append(x.wide, i)
		}
	}
	return x
}

func (x *grantIndex) overlaps(g *Grant) bool {
	block := g.block()
	hit := func(i int) bool { return overlap(&x.all[i], x.blocks[i], g, block) }
	if block.IsValid() && block.IsSingleIP() {
		return slices.ContainsFunc(x.single[block.Addr()], hit) || slices.ContainsFunc(x.wide, hit)
	}
	for i := range x.all {
		if hit(i) {
			return true
		}
	}
	return false
}
