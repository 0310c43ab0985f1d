// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"cmp"
	"net/netip"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// block is one ipBlock of a rule.
type block struct {
	cidr  string
	ports netpol.RuleKey
}

// change is what one write of an object changed in its ipBlocks.
type change struct {
	came, went []block // sorted
	blocks     int     // after it
}

// changeOf compares an object before a write with the API server's answer to it: what it has now, or what it deleted.
func changeOf(verb netpol.Verb, before, answer *networkingv1.NetworkPolicy) change {
	old, now := blocksOf(before), blocksOf(answer)
	if verb == netpol.Delete {
		old, now = blocksOf(answer), nil
	}
	return change{came: without(now, old), went: without(old, now), blocks: len(now)}
}

// spares tells whether none of these addresses changed; false if there are none at all to tell apart.
func (c change) spares(addresses map[netip.Addr]bool) bool {
	if addresses == nil {
		return false
	}
	isOne := func(b block) bool {
		addr, single := singleAddress(b.cidr)
		return single && addresses[addr]
	}
	return !slices.ContainsFunc(c.came, isOne) && !slices.ContainsFunc(c.went, isOne)
}

// blocksOf returns the ipBlocks of the rules, sorted and distinct.
func blocksOf(np *networkingv1.NetworkPolicy) []block {
	if np == nil {
		return nil
	}
	var blocks []block
	for i := range np.Spec.Egress {
		rule := &np.Spec.Egress[i]
		key := netpol.KeyOf(rule.Ports)
		for j := range rule.To {
			if b := rule.To[j].IPBlock; b != nil {
				blocks = append(blocks, block{cidr: b.CIDR, ports: key})
			}
		}
	}
	slices.SortFunc(blocks, compareBlocks)
	return slices.Compact(blocks)
}

func compareBlocks(a, b block) int {
	return cmp.Or(cmp.Compare(a.ports, b.ports), cmp.Compare(a.cidr, b.cidr))
}

// without returns those of as that are not among bs; both are sorted.
func without(as, bs []block) []block {
	var rest []block
	for _, a := range as {
		if _, found := slices.BinarySearchFunc(bs, a, compareBlocks); !found {
			rest = append(rest, a)
		}
	}
	return rest
}
