// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"cmp"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
)

// change is what has to happen to one object. Of gained and lost only sequence knows.
type change struct {
	name   string
	have   liveObject // without a NetworkPolicy: to be created
	want   *object    // nil: to be deleted
	gained []Grant    // what the object allows after the change and not before
	lost   grantIndex // what it allows before the change and not after
}

// steps returns the writes that make the live objects what objects says, in an order that breaks nothing.
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
		// All wait for each other. The first that adds something is written with what it owes besides, which is what other
		// objects allow in the end. Nothing is allowed in between that the end does not allow.
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
		have, want := l.at(i), (*object)(nil)
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

// sequence finds out what each change gains and loses, and puts what adds first and the deletions last.
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

// owed returns what other changes have yet to add that the i-th may be all that allows now. While there is such, it must
// wait: whatever is allowed before and after is allowed after by the change itself, by another object that allows it
// already, or by a gain still to come, and only in the last case can it get lost in between.
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

// step writes a change, with what bridge allows besides.
func (ch *change) step(p *Policy, bridge []Grant) Step {
	if ch.want == nil {
		return Step{Verb: Delete, Object: ch.have.np.DeepCopy()}
	}
	spec := specOf(ch.want, &p.PodSelector)
	for i := range bridge {
		spec.Egress = withGrant(spec.Egress, ch.want.leads, &bridge[i])
	}
	addresses := annotationOf(ch.want)
	if ch.have.np == nil {
		return Step{Verb: Create, Object: created(p, ch.name, spec, addresses)}
	}
	return Step{Verb: Update, Object: updated(p, ch.have.np, spec, addresses)}
}

// withGrant adds to the rule of the same ports, which it may change. A second rule of these ports would be taken for the DNS
// rule if a new process had to read the object as it is in between (see dnsLeads).
func withGrant(egress []networkingv1.NetworkPolicyEgressRule, leads int, g *Grant) []networkingv1.NetworkPolicyEgressRule {
	for i := leads; i < len(egress); i++ {
		if KeyOf(egress[i].Ports) == g.Ports.Key {
			egress[i].To = append(egress[i].To, g.peer())
			return egress
		}
	}
	ports, _ := canonicalPorts(g.Ports.List) // a copy
	return append(egress, networkingv1.NetworkPolicyEgressRule{Ports: ports, To: []networkingv1.NetworkPolicyPeer{g.peer()}})
}

// peer writes a grant that is not every destination. It shares no memory with it.
func (g *Grant) peer() networkingv1.NetworkPolicyPeer {
	if g.Peer != nil {
		return *g.Peer.DeepCopy()
	}
	return addressPeer(g.Addr)
}
