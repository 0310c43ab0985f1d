// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"cmp"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
)

// change is what has to happen to one object.
type change struct {
	name   string
	live   *networkingv1.NetworkPolicy     // nil: to be created
	spec   *networkingv1.NetworkPolicySpec // nil: to be deleted
	leads  int                             // how many DNS rules lead the spec
	owners string                          // the annotation
	gained []grant                         // what the object allows after the change and not before
	lost   *overlapIndex                   // what it allows before the change and not after
}

// steps returns the writes that make the live objects what specs says, in an order that breaks nothing.
func (c *compilation) steps(specs []*networkingv1.NetworkPolicySpec, peers []peer) []Step {
	changes := c.changes(specs, peers)
	if len(changes) > 1 {
		for _, ch := range changes {
			ch.compare()
		}
		sortChanges(changes)
	}
	var steps []Step
	for len(changes) > 0 {
		i := nextChange(changes)
		if i < 0 {
			steps = append(steps, c.union(changes))
			continue
		}
		steps = append(steps, c.step(changes[i], changes[i].spec))
		changes = slices.Delete(changes, i, i+1)
	}
	return steps
}

// nextChange returns the first change that owes nothing, or -1. The deletions, which stand last and which nothing waits
// for, wait for all others.
func nextChange(changes []*change) int {
	if changes[0].spec == nil {
		return 0
	}
	return slices.IndexFunc(changes, func(ch *change) bool { return ch.spec != nil && len(ch.owed(changes)) == 0 })
}

// changes lists the objects that are not as they should be, in the order of their numbers, the strays last.
func (c *compilation) changes(specs []*networkingv1.NetworkPolicySpec, peers []peer) []*change {
	var changes []*change
	for i, spec := range specs {
		np := c.live.objects[i]
		if c.live.foreign[i] || c.isAsWanted(np, spec) {
			continue
		}
		ch := &change{name: c.in.Policy.ObjectName(i), live: np, spec: spec}
		if i == 0 {
			ch.leads = len(c.dns)
		}
		if spec != nil {
			ch.owners = c.annotation(i, peers)
		}
		changes = append(changes, ch)
	}
	for _, np := range c.live.strays {
		if !c.isAsWanted(np, nil) {
			changes = append(changes, &change{name: np.Name, live: np})
		}
	}
	return changes
}

// compare fills in what is gained and lost.
func (ch *change) compare() {
	var before, after []grant
	if ch.live != nil {
		before = grantsOf(ch.live.Spec.Egress)
	}
	if ch.spec != nil {
		after = grantsOf(ch.spec.Egress)
	}
	ch.gained, ch.lost = without(after, before), indexGrants(without(before, after))
}

// sortChanges puts what adds first and the deletions last.
func sortChanges(changes []*change) {
	rank := func(ch *change) int {
		switch {
		case ch.spec == nil:
			return 2
		case len(ch.gained) == 0:
			return 1
		}
		return 0
	}
	slices.SortStableFunc(changes, func(a, b *change) int { return cmp.Compare(rank(a), rank(b)) })
}

// owed returns what other changes have yet to add that ch may be all that allows now. While there is such, the change must
// wait: whatever is allowed before and after is allowed after by ch itself, by another object that allows it already, or
// by a gain still to come, and only in the last case can it get lost in between.
func (ch *change) owed(changes []*change) []grant {
	var owed []grant
	for _, other := range changes {
		if other == ch {
			continue
		}
		for i := range other.gained {
			if ch.lost.overlaps(&other.gained[i]) {
				owed = append(owed, other.gained[i])
			}
		}
	}
	return owed
}

// union is the way out where changes wait for each other: the first of them that adds something is written with what it
// owes besides, which is what other objects allow in the end. Nothing is allowed in between that the end does not allow.
func (c *compilation) union(changes []*change) Step {
	ch := changes[slices.IndexFunc(changes, func(ch *change) bool { return len(ch.gained) > 0 })]
	owed := ch.owed(changes)
	spec := ch.spec.DeepCopy()
	for i := range owed {
		addGrant(spec, ch.leads, &owed[i])
	}
	ch.gained, ch.lost = nil, indexGrants(owed)
	return c.step(ch, spec)
}

// addGrant adds to the rule of the same ports. A second rule of these ports would be taken for the DNS rule if a new
// process had to read the object as it is in between (see withoutDNS).
func addGrant(spec *networkingv1.NetworkPolicySpec, leads int, g *grant) {
	for i := leads; i < len(spec.Egress); i++ {
		if _, key := canonicalPorts(spec.Egress[i].Ports); key == g.key {
			spec.Egress[i].To = append(spec.Egress[i].To, g.peer)
			return
		}
	}
	spec.Egress = append(spec.Egress, networkingv1.NetworkPolicyEgressRule{
		Ports: g.ports, To: []networkingv1.NetworkPolicyPeer{g.peer},
	})
}

func (c *compilation) step(ch *change, spec *networkingv1.NetworkPolicySpec) Step {
	switch {
	case ch.spec == nil:
		return Step{Verb: Delete, Object: ch.live.DeepCopy()}
	case ch.live == nil:
		return Step{Verb: Create, Object: c.created(ch.name, spec, ch.owners)}
	}
	return Step{Verb: Update, Object: c.updated(ch.live, spec, ch.owners)}
}
