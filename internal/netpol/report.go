// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"net/netip"
	"slices"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// report lists the addresses that are written for each name. Those that are placed in an object whose name somebody else has
// are not written.
func report(w *wanted, placed placement, l *live) Plan {
	plan := Plan{
		Allowed: map[fqdn.Pattern][]netip.Addr{}, CarriedFor: map[fqdn.Pattern][]netip.Addr{}, Refused: w.Refused,
		LeftOut: placed.leftOut, NoRoom: placed.noRoom, Next: w.next,
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
	for p, addrs := range plan.CarriedFor { // an address that an answer brought counts as allowed alone
		if addrs = lacking(sortedAddrs(addrs), plan.Allowed[p]); len(addrs) > 0 {
			plan.CarriedFor[p] = addrs
		} else {
			delete(plan.CarriedFor, p)
		}
	}
	return plan
}

// lacking takes the addresses of sorted out of addrs, in place.
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
