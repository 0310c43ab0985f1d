// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"net/netip"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
)

// grant is one peer at the ports of its rule: what an object allows is the union of its grants.
type grant struct {
	grantID
	ports []networkingv1.NetworkPolicyPort // canonical
	peer  networkingv1.NetworkPolicyPeer
	block netip.Prefix // of an ipBlock; else not valid: selectors, or every destination
}

// grantID is equal for equal grants.
type grantID struct {
	key  RuleKey
	peer string // empty: every destination
}

func grantsOf(egress []networkingv1.NetworkPolicyEgressRule) []grant {
	var grants []grant
	for i := range egress {
		ports, key := canonicalPorts(egress[i].Ports)
		if len(egress[i].To) == 0 {
			grants = append(grants, grant{grantID: grantID{key: key}, ports: ports})
		}
		for _, p := range egress[i].To {
			g := grant{grantID: grantID{key, peerID(p)}, ports: ports, peer: p}
			if p.IPBlock != nil {
				g.block, _ = netip.ParsePrefix(p.IPBlock.CIDR)
			}
			grants = append(grants, g)
		}
	}
	return grants
}

// without returns the grants that others lacks.
func without(grants, others []grant) []grant {
	ids := make(map[grantID]bool, len(others))
	for i := range others {
		ids[others[i].grantID] = true
	}
	var out []grant
	for i := range grants {
		if !ids[grants[i].grantID] {
			out = append(out, grants[i])
		}
	}
	return out
}

// overlaps tells whether there may be traffic that both g and o allow. It says yes when in doubt: the labels of pods and
// which pods are behind an address are not known here, and `except` is not looked at.
func (g *grant) overlaps(o *grant) bool {
	if g.block.IsValid() && o.block.IsValid() && !g.block.Overlaps(o.block) {
		return false
	}
	if g.key == "" || o.key == "" {
		return true
	}
	return slices.ContainsFunc(g.ports, func(a networkingv1.NetworkPolicyPort) bool {
		return slices.ContainsFunc(o.ports, func(b networkingv1.NetworkPolicyPort) bool {
			return spanOf(&a).overlaps(spanOf(&b))
		})
	})
}

// overlapIndex answers quickly which grants overlap one of a set.
type overlapIndex struct {
	all    []grant
	single map[netip.Addr][]int // those of one address
	wide   []int                // all others
}

func indexGrants(grants []grant) *overlapIndex {
	x := &overlapIndex{all: grants, single: make(map[netip.Addr][]int, len(grants))}
	for i := range grants {
		if b := grants[i].block; b.IsValid() && b.IsSingleIP() {
			x.single[b.Addr()] = append(x.single[b.Addr()], i)
		} else {
			x.wide = append(x.wide, i)
		}
	}
	return x
}

func (x *overlapIndex) overlaps(g *grant) bool {
	hit := func(i int) bool { return x.all[i].overlaps(g) }
	if g.block.IsValid() && g.block.IsSingleIP() {
		return slices.ContainsFunc(x.single[g.block.Addr()], hit) || slices.ContainsFunc(x.wide, hit)
	}
	return slices.ContainsFunc(x.all, func(o grant) bool { return o.overlaps(g) })
}
