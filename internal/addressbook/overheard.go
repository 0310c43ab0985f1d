// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"net/netip"
	"slices"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// Overheard is the Source that Holders names for addresses that Observe brought.
const Overheard Source = "overheard"

// overheard is one address that a pod was told. It enters here. It leaves in union.until for an owner, in pruneOverheard for good,
// or in fitOverheard when the name is full.
type overheard struct {
	ip   ip
	end  instant // of the longest TTL with which it was told
	seen instant // when it was told last
}

// Observe takes an answer that was overheard: the addresses that a pod was told for a name. It adds them to every exact name
// of the zero View and to every wildcard that matches, until the end of ttl and the retention of each owner. It never takes
// away, says nothing of absence, and has no say in the state of an exact name. Addresses of the other family are left out,
// and so are those of a family that is not asked.
//
// Nothing leaves within its TTL. Where MaxAddressesPerName are kept, what is past its TTL makes room, and if there is none new
// addresses are left out.
//
//	a pool for 2 has            overheard     it then has
//	.1 until 10:02              .2 at 10:00   .1 until 10:02, .2 until 10:05
//	.1 until 10:02, .2 10:05    .1 at 10:01   .1 until 10:06, .2 until 10:05
//	.1 until 10:06, .2 10:05    .3 at 10:04   the same, and Limit is AddressesPerName
//	.1 until 10:06, .2 10:05    .3 at 10:05   .1 until 10:06, .3 until 10:10
//
// The Ticket names the owners that do not have all that the names gained in force yet.
func (b *Book) Observe(n fqdn.Name, f Family, addrs []netip.Addr, ttl time.Duration, now time.Time) Ticket {
	names := b.index.Matching(n)
	if len(names) == 0 {
		return Ticket{}
	}
	at := b.epoch.instant(now)
	s := b.takeScratch()
	defer b.putScratch(s)
	a := b.read(s, f, Answer{Addrs: addrs, TTL: ttl}, at)
	if len(a.addrs) == 0 {
		return Ticket{}
	}
	var told news
	var matching []*name
	for _, n := range names {
		if heard, taken := n.overhear(f, a, at); taken {
			told.add(heard)
			matching = append(matching, n)
		}
	}
	told.awaited = true
	t, calls := ticketFor(matching, b.revise(told))
	b.wake(calls)
	return t
}

// Listens tells whether an answer for n would matter: an owner wants it in the zero View, or a wildcard that matches it.
// It takes no lock.
func (b *Book) Listens(n fqdn.Name) bool { return b.index.Matches(n) }

// overhear enters an answer that was overheard, if it is for somebody.
func (n *name) overhear(f Family, a answer, at instant) (told news, taken bool) {
	n.lock()
	defer n.unlock()
	if !n.takes(f) {
		return news{}, false
	}
	n.prune(at)
	before := n.facets(at)
	n.hear(f, a, before.union, at)
	return n.changed(before, at), true
}

// hear adds what was overheard to what is known.
func (n *name) hear(f Family, a answer, known unions, at instant) {
	addrs := n.fitOverheard(f, slices.Clone(a.addrs), known, at, a.expires)
	n.changes(f) // not before: to make room the name was united without the answer
	n.prunesFrom(at.plus(ListedAfterUntil))
	missing, j := 0, 0
	list := n.rare.overheard[f]
	for i := range list {
		for j < len(addrs) && addrs[j].less(list[i].ip) {
			j, missing = j+1, missing+1
		}
		if j < len(addrs) && addrs[j] == list[i].ip {
			list[i].end, list[i].seen = max(list[i].end, a.expires), at
			j++
		}
	}
	n.change().overheard[f] = insertMissing(list, func(o *overheard) ip { return o.ip }, addrs, missing+len(addrs)-j,
		func(i ip) overheard { return overheard{ip: i, end: a.expires, seen: at} })
}

// fitOverheard leaves out what there is no room for, in place, and lets go what is past its TTL for it.
func (n *name) fitOverheard(f Family, addrs []ip, known unions, at, expires instant) []ip {
	newcomers := countNewcomers(addrs, known[f])
	fitting := newcomers
	if room, limit := n.room(fitting); room < fitting {
		room = n.makeRoom(fitting, room, limit, known, pastTime(f, addrs, known, at), at, expires)
		n.leaveOut(limit, fitting-room, expires)
		fitting = room
		n.dropRetired()
		known = n.united()
	}
	if excess := known.size() + fitting - n.view.book.options.MaxAddressesPerName; excess > 0 {
		gone := n.victims(known, excess, pastTime(f, addrs, known, at))
		leftOut := excess - n.drop(known, gone, AddressesPerName, at, expires)
		n.dropRetired()
		n.leaveOut(AddressesPerName, leftOut, expires)
		fitting -= leftOut
	}
	return dropNewcomers(addrs, known[f], newcomers-fitting)
}

// pastTime marks what is not current any more, and not named again by an answer of a family.
func pastTime(f Family, addrs []ip, us unions, at instant) (past selection) {
	for g := range us {
		again := addrs
		if Family(g) != f {
			again = nil
		}
		past[g] = notAmong(us[g], again)
		for i := range past[g] {
			past[g][i] = past[g][i] && !us[g][i].current(at)
		}
	}
	return past
}
