// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"cmp"
	"time"
)

// room is how many of so many new addresses the name may take by the limits of the tenants and the process, and which one is the
// closest. A tenant that has none is no obstacle as long as another one that lists the name has.
func (n *name) room(newcomers int) (room int, limit Limit) {
	limit = AddressesPerTenant
	shares := n.shares.all()
	for i := range shares {
		own, process := n.roomOf(&shares[i])
		room = max(room, min(own, process))
		if process < own {
			limit = AddressesOfProcess
		}
		if room >= newcomers {
			break
		}
	}
	return room, limit
}

// roomOf is how many more addresses a tenant may have by its own limit, negative if it is over it, and by that of the process.
func (n *name) roomOf(s *share) (own, process int) {
	o, all := &n.view.book.options, n.view.book.counts.addresses.Load()
	has := s.tenant.addresses.Load() + s.untold()
	return o.MaxAddressesPerTenant - int(has), n.view.book.room(o.MaxAddresses, all, has)
}

// payer is who makes room for new addresses of a name.
type payer struct {
	room      int           // it has this much; negative: it is over its limit, and must give that first
	gives     int           // and so many addresses that it lists may go
	retention time.Duration // for which it keeps them
}

// compare orders payers, the better one later: who may take more of so many, then who gives less for it, then who keeps addresses
// for longer.
func (p payer) compare(o payer, newcomers int) int {
	return cmp.Or(
		cmp.Compare(min(p.room+p.gives, newcomers), min(o.room+o.gives, newcomers)),
		cmp.Compare(min(p.room, newcomers), min(o.room, newcomers)),
		cmp.Compare(p.retention, o.retention))
}

// makeRoom lets go what is only retained, or was in no answer but the one before, for so many new addresses for which no tenant
// that lists the name has room. It returns how many may come. One of the tenants makes the room, by addresses that it lists,
// the least recently answered first, so those go first that only the longest retention keeps. Two tenants list the name, both are
// full, and an answer has .9 alone:
//
//	the name has                                          then                   because
//	.1 current for both, .2 retained for b alone (a week) .9, and .1 retained    .2 is b's, and b has room without it
//	.1 current for both                                   .9                     .1 is not answered any more
//	.1 that another source answers                        .1                     nothing may go: .9 is left out
func (n *name) makeRoom(newcomers, room int, limit Limit, us unions, may selection, at, expires instant) int {
	best, found := payer{}, false
	gives := make(map[*group]int, len(n.groups.all()))
	for _, g := range n.groups.all() {
		gives[g] = n.countGiven(n.retentionAt(g.term(), at), us, may, at)
	}
	shares := n.shares.all()
	for i := range shares {
		s := &shares[i]
		own, process := n.roomOf(s)
		g := n.longestGroup(s, at)
		p := payer{room: min(own, process), gives: gives[g], retention: n.retentionAt(g.term(), at)}
		if !found || best.compare(p, newcomers) < 0 {
			best, found = p, true
		}
	}
	goes := min(newcomers-best.room, best.gives)
	if goes <= 0 || best.room+goes <= room {
		return room
	}
	for f := range us {
		for i := range us[f] {
			may[f][i] = may[f][i] && us[f][i].listed(best.retention, at)
		}
	}
	gone := n.victims(us, goes, may)
	n.drop(us, gone, limit, at, expires)
	return best.room + goes
}

// countGiven counts the addresses that may go of those that are listed with a retention.
func (n *name) countGiven(retention time.Duration, us unions, may selection, at instant) (count int) {
	for f := range us {
		for i := range us[f] {
			if may[f][i] && us[f][i].listed(retention, at) {
				count++
			}
		}
	}
	return count
}
