// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"net/netip"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
)

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

// grants lists what an object allows: the union of its grants. A nil object allows nothing.
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

// grantsIn lists what live rules allow.
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
