// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"net/netip"
	"slices"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// report says what is written for what. What is placed in an object whose name somebody else has is not written.
func report(w *wanted, placed placement, l *live) Plan {
	plan := Plan{
		Allowed: map[fqdn.Pattern][]netip.Addr{}, CarriedFor: map[fqdn.Pattern][]netip.Addr{}, Refused: w.Refused,
		LeftOut: placed.leftOut, Next: w.next,
	}
	written := make([]netip.Addr, 0, len(placed.object))
	at := placed.object
	for i := range w.Rules {
		for _, g := range w.Rules[i].Names {
			object := at[0]
			if at = at[1:]; object == leftOut || l.foreign[object] {
				continue
			}
			written = append(written, g.Addr)
			if g.Claims[0].isUnknown() {
				plan.Carried = append(plan.Carried, g.Addr)
			}
			for _, c := range g.Claims {
				switch {
				case !c.Carried:
					plan.Allowed[c.Pattern] = append(plan.Allowed[c.Pattern], g.Addr)
				case !c.isUnknown():
					plan.CarriedFor[c.Pattern] = append(plan.CarriedFor[c.Pattern], g.Addr)
				}
			}
		}
	}
	plan.AddressCount = len(sortedAddrs(written))
	plan.Carried = sortedAddrs(plan.Carried)
	for p, addrs := range plan.Allowed {
		plan.Allowed[p] = sortedAddrs(addrs)
	}
	for p, addrs := range plan.CarriedFor { // what a name has by an answer counts as allowed alone
		if addrs = lacking(sortedAddrs(addrs), plan.Allowed[p]); len(addrs) > 0 {
			plan.CarriedFor[p] = addrs
		} else {
			delete(plan.CarriedFor, p)
		}
	}
	return plan
}

// lacking takes out of addrs, in place, what sorted has.
func lacking(addrs, sorted []netip.Addr) []netip.Addr {
	return slices.DeleteFunc(addrs, func(a netip.Addr) bool {
		_, found := slices.BinarySearchFunc(sorted, a, netip.Addr.Compare)
		return found
	})
}

// sortedAddrs sorts in place and removes repeats.
func sortedAddrs(addrs []netip.Addr) []netip.Addr {
	slices.SortFunc(addrs, netip.Addr.Compare)
	return slices.Compact(addrs)
}

// objectNames lists the objects that are there after the steps, and those that we need and somebody else has.
func objectNames(p *Policy, objects []*object, l *live, isFull bool) (ours, conflicts []string) {
	for i, o := range objects {
		if o != nil && !l.foreign[i] {
			ours = append(ours, p.ObjectName(i))
		}
	}
	for i := range l.foreign {
		if l.foreign[i] && (i == 0 || isFull) {
			conflicts = append(conflicts, p.ObjectName(i))
		}
	}
	slices.SortFunc(conflicts, p.compareObjectNames)
	return ours, conflicts
}
