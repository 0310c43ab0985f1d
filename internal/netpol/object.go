// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"maps"
	"slices"
)

// object is a NetworkPolicy as it should be.
type object struct {
	rules []RuleGrants // its egress rules; one that would have no peer is left out
	leads int          // how many of them are the DNS rules, which come first
}

// render gives each object its rules: the DNS rules and the ordinary peers of the spec to the first, the addresses as they
// are placed. nil is an object that should not be there. The first is there whenever the policy is enforced, even without a
// rule: then its pods reach nothing.
func render(w *wanted, placed placement) []*object {
	objects := make([]*object, 1, 2)
	objects[0] = &object{rules: slices.Clip(w.DNS), leads: len(w.DNS)}
	at := placed.object
	for i := range w.Rules {
		r := &w.Rules[i]
		parts := split(r.Names, at[:len(r.Names)])
		at = at[len(r.Names):]
		for n, names := range parts {
			part := RuleGrants{Ports: r.Ports, Names: names}
			if n == 0 {
				part.Spec = r.Spec
			}
			if len(part.Spec) == 0 && len(part.Names) == 0 {
				continue
			}
			for len(objects) <= n {
				objects = append(objects, nil)
			}
			if objects[n] == nil {
				objects[n] = &object{}
			}
			objects[n].rules = append(objects[n].rules, part)
		}
	}
	return objects
}

// split parts the grants of a rule by the objects that they are placed in. There is a part for the first object at least.
func split(names []Grant, objects []int) [][]Grant {
	if !slices.ContainsFunc(objects, func(n int) bool { return n != 0 }) {
		return [][]Grant{names}
	}
	sizes := make([]int, 1+max(0, slices.Max(objects)))
	for _, n := range objects {
		if n != leftOut {
			sizes[n]++
		}
	}
	parts := make([][]Grant, len(sizes))
	for n, size := range sizes {
		parts[n] = make([]Grant, 0, size)
	}
	for i, n := range objects {
		if n != leftOut {
			parts[n] = append(parts[n], names[i])
		}
	}
	return parts
}

// objectNames lists the objects that are there after the steps, and those that we need and somebody else has.
func objectNames(p *Policy, objects []*object, l *live, isFull bool) (ours, conflicts []string) {
	for i, o := range objects {
		if o != nil && !l.foreign[i] {
			ours = append(ours, p.ObjectName(i))
		}
	}
	for _, i := range slices.Sorted(maps.Keys(l.foreign)) {
		if l.foreign[i] && (i == 0 || isFull) {
			conflicts = append(conflicts, p.ObjectName(i))
		}
	}
	return ours, conflicts
}
