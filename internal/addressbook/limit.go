// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
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
// has none, all else makes room too, see makeRoom, and new addresses are left out only if that is not enough.
func (n *name) fit(q *question, addrs []ip, known unions, at, expires instant) []ip {
	newcomers := countNewcomers(addrs, known[q.family])
	if newcomers == 0 {
		return addrs
	}
	fitting := newcomers
	if limit := n.view.book.options.MaxAddressesPerName; known.size()+newcomers > limit {
		fitting = min(newcomers, limit-n.mustStay(q, addrs, known, at))
		n.leaveOut(AddressesPerName, newcomers-fitting, expires)
	}
	if room, limit := n.room(fitting); room < fitting {
		room = n.makeRoom(fitting, room, limit, known, n.yielding(q, addrs, at), at, expires)
		n.leaveOut(limit, fitting-room, expires)
		fitting = room
	}
	return dropNewcomers(addrs, known[q.family], newcomers-fitting)
}

// countNewcomers counts the addresses that are not known. Both are sorted.
func countNewcomers(addrs []ip, known []union) int {
	newcomers, kept := 0, cursor{us: known}
	for _, a := range addrs {
		if kept.at(a) == nil {
			newcomers++
		}
	}
	return newcomers
}

// dropNewcomers takes out the highest addresses that are not known, in place.
func dropNewcomers(addrs []ip, known []union, excess int) []ip {
	if excess == 0 {
		return addrs
	}
	stay := countNewcomers(addrs, known) - excess
	kept := cursor{us: known}
	return slices.DeleteFunc(addrs, func(a ip) bool {
		if kept.at(a) != nil {
			return false
		}
		stay--
		return stay < 0
	})
}

// mustStay counts the known addresses that an answer to q does not push out.
func (n *name) mustStay(q *question, addrs []ip, known unions, at instant) int {
	count, yields := 0, n.yielding(q, addrs, at)
	for f := range known {
		for i := range known[f] {
			if !yields(Family(f), &known[f][i]) {
				count++
			}
		}
	}
	return count
}

// yielding tells of known addresses whether an answer to q pushes them out if need be: not those that it holds itself, that other
// questions hold live, or that were overheard within their TTL.
func (n *name) yielding(q *question, addrs []ip, at instant) func(Family, *union) bool {
	var must [families]map[ip]bool
	for f := range must {
		must[f] = n.heldBeside(q, Family(f))
	}
	isAgain := among(addrs)
	return func(f Family, u *union) bool {
		return u.heard <= at && !must[f][u.ip] && (f != q.family || !isAgain(u.ip))
	}
}

// among tells of addresses whether they are among addrs, which are sorted. To ask in order costs a step each.
func among(addrs []ip) func(ip) bool {
	next := 0
	return func(a ip) bool {
		if next > 0 && !addrs[next-1].less(a) {
			next = 0 // begun anew
		}
		for next < len(addrs) && addrs[next].less(a) {
			next++
		}
		return next < len(addrs) && addrs[next] == a
	}
}

// heldBeside returns what other questions of a family than q hold live; nil: there is none such.
func (n *name) heldBeside(q *question, f Family) map[ip]bool {
	var held map[ip]bool
	for i := range n.questions {
		o := &n.questions[i]
		if o == q || o.family != f || !o.live() {
			continue
		}
		if held == nil {
			held = map[ip]bool{}
		}
		for j := range o.holdings {
			if h := &o.holdings[j]; h.current() {
				held[h.ip] = true
			}
		}
	}
	return held
}

// evict brings a name back to MaxAddressesPerName: the least recently answered of what no live question holds goes, of equals
// the highest. fit has seen to it that live questions hold no more than that.
func (n *name) evict(at, expires instant) {
	if n.heldAddresses() <= n.view.book.options.MaxAddressesPerName {
		return
	}
	us := n.united()
	defer n.recycle(us)
	excess := us.size() - n.view.book.options.MaxAddressesPerName
	if excess <= 0 {
		return
	}
	gone := n.victims(us, excess, func(_ Family, u *union) bool { return !u.stays && u.heard <= at })
	n.drop(us, gone, AddressesPerName, at, expires)
	for f := range us {
		if left := without(us[f], gone[f]); len(left) >= cachedUnion {
			n.change().union[f] = left
		}
	}
}

// without takes those that are gone out of us, in place.
func without(us []union, gone []bool) []union {
	left := us[:0]
	for i := range us {
		if !gone[i] {
			left = append(left, us[i])
		}
	}
	return left
}

// victims marks the least recently answered of those that may go: true for each of us that goes.
func (n *name) victims(us unions, excess int, may func(Family, *union) bool) (gone [families][]bool) {
	s := n.view.book.takeScratch()
	defer n.view.book.putScratch(s)
	seen := s.space(&s.seen, us.size())
	candidates := s.space(&s.instants, us.size())[:0]
	firsts := [families]int{IPv6: len(us[IPv4])} // of the family in seen
	for f := range us {
		n.lastSeen(Family(f), us[f], seen[firsts[f]:])
		gone[f] = make([]bool, len(us[f]))
		for i := range us[f] {
			if may(Family(f), &us[f][i]) {
				gone[f][i] = true
				candidates = append(candidates, seen[firsts[f]+i])
			}
		}
	}
	if excess >= len(candidates) {
		return gone
	}
	oldest, ties := oldestOf(candidates, excess)
	for f := families - 1; f >= 0; f-- {
		for i := len(us[f]) - 1; i >= 0; i-- {
			last := seen[firsts[f]+i]
			tie := gone[f][i] && last == oldest && ties > 0
			gone[f][i] = tie || gone[f][i] && last < oldest
			if tie {
				ties--
			}
		}
	}
	return gone
}

// lastSeen enters when the last answer with each address came, from any source.
func (n *name) lastSeen(f Family, us []union, seen []instant) {
	for i := range us {
		seen[i] = never
	}
	for i := range n.questions {
		q, j := &n.questions[i], 0
		if q.family != f {
			continue
		}
		for k := range q.holdings {
			h := &q.holdings[k]
			for us[j].ip != h.ip {
				j++
			}
			seen[j] = max(seen[j], q.seen(h))
		}
	}
	j := 0
	for _, o := range n.rare.overheard[f] {
		for us[j].ip != o.ip {
			j++
		}
		seen[j] = max(seen[j], o.seen)
	}
}

// drop takes those of us that are gone because of a limit out of all that holds them, and remembers for whom that is a loss.
func (n *name) drop(us unions, gone [families][]bool, limit Limit, at, expires instant) (count int) {
	m := mark{limit: limit, needs: longestNeed, until: expires}
	for f := range us {
		before := count
		for i, is := range gone[f] {
			if is {
				count++
				m.needs = min(m.needs, us[f][i].listedFrom(at))
			}
		}
		if count > before {
			n.dropGone(Family(f), us[f], gone[f])
			n.change().union[f] = nil
		}
	}
	if count > 0 {
		n.view.book.counts.evicted.Add(uint64(count))
		n.change().marks = n.rare.marks.with(m)
	}
	return count
}

// longestNeed is longer than any retention.
const longestNeed = time.Duration(forever)

// dropGone takes those of us that are gone out of the questions and of what was overheard.
func (n *name) dropGone(f Family, us []union, gone []bool) {
	goes := func(j *int, addr ip) bool {
		for us[*j].ip != addr {
			*j++
		}
		return gone[*j]
	}
	for i := range n.questions {
		if q, j := &n.questions[i], 0; q.family == f {
			q.holdings = slices.DeleteFunc(q.holdings, func(h holding) bool { return goes(&j, h.ip) })
		}
	}
	j := 0
	if heard := n.rare.overheard[f]; len(heard) > 0 {
		n.rare.overheard[f] = slices.DeleteFunc(heard, func(o overheard) bool { return goes(&j, o.ip) })
	}
}
