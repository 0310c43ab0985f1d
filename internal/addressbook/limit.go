// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"net/netip"
	"slices"
	"time"
)

// fit makes an answer to q, which expires then, fit into the limits, in place. known is what the name has. With
// MaxAddressesPerName 3:
//
//	the name has                          an answer with  it then has           gone or left out  told to
//	.1 .2 by the answer before            .2 .3 .4        .2 .3 .4              .1                who would still list .1
//	.1 .2 by another source, live         .5 .6           .1 .2 .5              .6                all
//	.1 .2 retained for B alone (a week)   .5 .6           .5 .6, the newer one  .1 or .2          B, not A (5 minutes)
//
// What the name has already comes first, then the lowest addresses. What other live questions hold keeps its place, and so
// does what was overheard within its TTL: sources or families that are too big together would else push out each other's
// addresses at every answer. All else makes room, see evict. Where no tenant that lists the name has room, or the process
// has none, all new addresses are left out, and what is kept stays.
func (n *name) fit(q *question, addrs []netip.Addr, known []union, at, expires instant) []netip.Addr {
	newcomers := countNewcomers(addrs, known)
	if newcomers == 0 {
		return addrs
	}
	fitting := newcomers
	if limit := n.book.options.MaxAddressesPerName; len(known)+newcomers > limit {
		others := n.heldBeside(q, at)
		fitting = min(newcomers, limit-len(others)-countAgain(addrs, known, others))
		n.leaveOut(AddressesPerName, newcomers-fitting, expires)
	}
	room, limit := n.room()
	if room < fitting {
		n.leaveOut(limit, fitting-room, expires)
		fitting = room
	}
	return dropNewcomers(addrs, known, newcomers-fitting)
}

// countNewcomers counts the addresses that are not known. Both are sorted.
func countNewcomers(addrs []netip.Addr, known []union) int {
	newcomers, kept := 0, cursor{known}
	for _, a := range addrs {
		if _, isKnown := kept.at(a); !isKnown {
			newcomers++
		}
	}
	return newcomers
}

// countAgain counts the addresses that are known, but not among others.
func countAgain(addrs []netip.Addr, known []union, others []netip.Addr) int {
	again, kept := 0, cursor{known}
	for _, a := range addrs {
		_, isKnown := kept.at(a)
		_, isOther := slices.BinarySearchFunc(others, a, netip.Addr.Compare)
		if isKnown && !isOther {
			again++
		}
	}
	return again
}

// dropNewcomers takes out the highest addresses that are not known, in place.
func dropNewcomers(addrs []netip.Addr, known []union, excess int) []netip.Addr {
	if excess == 0 {
		return addrs
	}
	stay := countNewcomers(addrs, known) - excess
	kept := cursor{known}
	return slices.DeleteFunc(addrs, func(a netip.Addr) bool {
		if _, isKnown := kept.at(a); isKnown {
			return false
		}
		stay--
		return stay < 0
	})
}

// heldBeside returns what questions other than q hold live, or was overheard within its TTL, sorted.
func (n *name) heldBeside(q *question, at instant) []netip.Addr {
	var held []netip.Addr
	for i := range n.questions {
		if o := &n.questions[i]; o != q && o.live() {
			for _, h := range o.holdings {
				if h.current() {
					held = append(held, h.addr)
				}
			}
		}
	}
	for _, o := range n.overheard {
		if o.end > at {
			held = append(held, o.addr)
		}
	}
	slices.SortFunc(held, netip.Addr.Compare)
	return slices.Compact(held)
}

// room is how many new addresses the name may take by the limits of the tenants and the process, and which one is the
// closest. A tenant that has none is no obstacle as long as another one that lists the name has.
func (n *name) room() (room int, limit Limit) {
	o, most := &n.book.options, 0
	for _, s := range n.shares {
		if most = max(most, o.MaxAddressesPerTenant-int(s.tenant.addresses.Load())); most >= o.MaxAddressesPerName {
			break
		}
	}
	if all := max(o.MaxAddresses-int(n.book.counts.addresses.Load()), 0); all < most {
		return all, AddressesOfProcess
	}
	return most, AddressesPerTenant
}

// evict brings a name back to MaxAddressesPerName: the least recently answered of what no live question holds goes, of equals
// the highest. fit has seen to it that live questions hold no more than that.
func (n *name) evict(at, expires instant) {
	if n.heldAddresses() <= n.book.options.MaxAddressesPerName {
		return
	}
	us := n.united()
	if excess := len(us) - n.book.options.MaxAddressesPerName; excess > 0 {
		n.drop(n.victims(us, excess, at, union.evictable), at, expires)
	}
}

// evictable tells whether an address may go for one that comes.
func (u union) evictable(at instant) bool { return !u.stays && u.heard <= at }

// victims are the least recently answered of those that may go, sorted by address.
func (n *name) victims(us []union, excess int, at instant, may func(union, instant) bool) []union {
	seen := n.lastSeen(us)
	var candidates []instant
	for i, u := range us {
		if may(u, at) {
			candidates = append(candidates, seen[i])
		}
	}
	if excess = min(excess, len(candidates)); excess <= 0 {
		return nil
	}
	oldest, ties := oldestOf(candidates, excess)
	victims := make([]union, 0, excess)
	for i := len(us) - 1; i >= 0; i-- {
		switch u := us[i]; {
		case !may(u, at) || seen[i] > oldest:
		case seen[i] < oldest:
			victims = append(victims, u)
		case ties > 0:
			ties--
			victims = append(victims, u)
		}
	}
	slices.Reverse(victims)
	return victims
}

// lastSeen is when the last answer with each address came, from any source.
func (n *name) lastSeen(us []union) []instant {
	seen := make([]instant, len(us))
	for j := range seen {
		seen[j] = never
	}
	for i := range n.questions {
		q, j := &n.questions[i], 0
		for _, h := range q.holdings {
			for us[j].addr != h.addr {
				j++
			}
			seen[j] = max(seen[j], q.seen(h))
		}
	}
	j := 0
	for _, o := range n.overheard {
		for us[j].addr != o.addr {
			j++
		}
		seen[j] = max(seen[j], o.seen)
	}
	return seen
}

// drop takes victims, which are sorted, out of all that holds them, and remembers for whom that is a loss.
func (n *name) drop(victims []union, at, expires instant) {
	if len(victims) == 0 {
		return
	}
	for i := range n.questions {
		q, gone := &n.questions[i], cursor{victims}
		q.holdings = slices.DeleteFunc(q.holdings, func(h holding) bool {
			_, is := gone.at(h.addr)
			return is
		})
	}
	gone := cursor{victims}
	n.overheard = slices.DeleteFunc(n.overheard, func(o overheard) bool {
		_, is := gone.at(o.addr)
		return is
	})
	n.changes()
	needs := victims[0].listedFrom(at)
	for _, v := range victims {
		needs = min(needs, v.listedFrom(at))
	}
	n.book.counts.evicted.Add(uint64(len(victims)))
	n.marks = n.marks.with(mark{limit: AddressesPerName, needs: needs, until: expires})
}

// listedFrom is the shortest retention with which a Snapshot still lists u.
func (u union) listedFrom(at instant) time.Duration {
	from := max(u.from, u.heard)
	if from == never || u.bound.plus(ListedAfterUntil) > at {
		return 0
	}
	return max(0, time.Duration(at-from)-ListedAfterUntil+1)
}

// leaveOut takes note that so many addresses were left out for all who list the name.
func (n *name) leaveOut(limit Limit, count int, expires instant) {
	if count > 0 {
		n.book.counts.evicted.Add(uint64(count))
		n.marks = n.marks.with(mark{limit: limit, until: expires})
	}
}

// mark remembers that a limit bit.
type mark struct {
	limit Limit
	needs time.Duration // the shortest retention for which it made a difference
	until instant       // until when the answer lasts, or lasted, that brought too many
}

// marks are those that may still make a difference: there is none with the same limit that concerns more owners for longer.
type marks []mark

// with adds a mark.
func (ms marks) with(m mark) marks {
	covers := func(a, b mark) bool { return a.limit == b.limit && a.needs <= b.needs && a.until >= b.until }
	if slices.ContainsFunc(ms, func(o mark) bool { return covers(o, m) }) {
		return ms
	}
	return append(slices.DeleteFunc(ms, func(o mark) bool { return covers(m, o) }), m)
}

// end is until when an owner of that retention is told, if it is told at all.
func (m mark) end(retention time.Duration) instant {
	if m.needs > retention {
		return never
	}
	return m.until.plus(max(retention, ListedAfterUntil))
}

// told is the limit that an owner of that retention is told of, and until when if nothing changes.
func (ms marks) told(retention time.Duration, at instant) (limit Limit, end instant) {
	end = forever
	for _, m := range ms {
		switch until := m.end(retention); {
		case until <= at || limit != NoLimit && m.limit > limit:
		case m.limit == limit:
			end = max(end, until)
		default:
			limit, end = m.limit, until
		}
	}
	return limit, end
}
