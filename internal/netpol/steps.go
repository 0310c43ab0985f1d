// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"cmp"
	"net/netip"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
)

// change is one object that is not as it should be. gained and lost are set by sequence.
type change struct {
	name   string
	have   liveObject // without a NetworkPolicy: to be created
	want   *object    // nil: to be deleted
	gained []Grant    // of the object after the change and not before
	lost   grantIndex // of the object before the change and not after
}

// steps returns the writes that make the live objects as they should be, in an order that breaks nothing.
//
//	live              wanted            steps
//	[.1]              [.2]              update 0
//	[.1] [.2]         [.1 .2]           update 0, delete 1
//	[.1 .2]           [.1] [.2]         create 1, update 0
//	[.1 .2] [.3]      [.1] [.3 .4]      update 1, update 0
//	[.1 .2] [.3 .4]   [.1 .3] [.2 .4]   update 0, update 1, update 0
//
// In the last row each waits for the other, so the first write is a bridge: it leaves .2 where it is until the second has it.
func steps(p *Policy, objects []*object, l *live) []Step {
	changes := changesTo(p, objects, l)
	if len(changes) > 1 {
		changes = sequence(changes)
	}
	var steps []Step
	for len(changes) > 0 {
		i := nextChange(changes)
		if i >= 0 {
			steps = append(steps, changes[i].step(p, nil))
			changes = slices.Delete(changes, i, i+1)
			continue
		}
		// All wait for each other. The first that gains something is written with the grants that it owes besides, which
		// other objects have in the end. So nothing is allowed in between that the end does not allow.
		i = slices.IndexFunc(changes, func(ch change) bool { return len(ch.gained) > 0 })
		bridge := owed(changes, i)
		steps = append(steps, changes[i].step(p, bridge))
		changes[i].gained, changes[i].lost = nil, indexGrants(bridge)
	}
	return steps
}

// changesTo lists the objects that are not as they should be, in the order of their numbers, the strays last.
func changesTo(p *Policy, objects []*object, l *live) []change {
	var changes []change
	for i := range max(len(objects), len(l.objects)) {
		var have liveObject
		if i < len(l.objects) {
			have = l.objects[i]
		}
		var want *object
		if i < len(objects) {
			want = objects[i]
		}
		if !l.foreign[i] && !isAsWanted(have, want, p) {
			changes = append(changes, change{name: p.ObjectName(i), have: have, want: want})
		}
	}
	for _, np := range l.strays {
		if have := (liveObject{np: np, rules: readRules(np.Spec.Egress)}); !isAsWanted(have, nil, p) {
			changes = append(changes, change{name: np.Name, have: have})
		}
	}
	return changes
}

// isAsWanted tells whether there is nothing to do about an object: have.np is nil where there is none, want where there should
// be none. One that should go and is deleted already only waits for somebody's finalizer. The annotation does not count:
// it changes with every answer that moves an address between names, and no pod's traffic depends on it.
func isAsWanted(have liveObject, want *object, p *Policy) bool {
	switch np := have.np; {
	case np == nil:
		return want == nil
	case want == nil:
		return np.DeletionTimestamp != nil
	default:
		return isEgressOnly(&np.Spec) && p.isMarked(np) && equalSelectors(&np.Spec.PodSelector, &p.PodSelector) &&
			slices.EqualFunc(have.rules, want.rules, func(l liveRule, r RuleGrants) bool { return l.is(r) })
	}
}

func isEgressOnly(spec *networkingv1.NetworkPolicySpec) bool {
	return len(spec.PolicyTypes) == 1 && spec.PolicyTypes[0] == networkingv1.PolicyTypeEgress && len(spec.Ingress) == 0
}

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
