// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
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
