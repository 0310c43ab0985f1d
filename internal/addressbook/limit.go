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
// addresses at every answer. All else makes room: the least recently answered go, of equals the highest. Where no tenant that
// lists the name has room, or the process has none, all else makes room too, see makeRoom, and new addresses are left out only
// if that is not enough.
func (n *name) fit(q *question, addrs []ip, known unions, at, expires instant) []ip {
	newcomers := countNewcomers(addrs, known[q.family])
	if newcomers == 0 {
		return addrs
	}
	fitting, full := newcomers, n.view.book.options.MaxAddressesPerName
	if known.size()+newcomers > full {
		yields := n.yielding(q, addrs, known, at)
		fitting = min(newcomers, full-(known.size()-yields.count()))
		n.leaveOut(AddressesPerName, newcomers-fitting, expires)
	}
	left := known
	if room, limit := n.room(fitting); room < fitting {
		room = n.makeRoom(fitting, room, limit, known, n.yielding(q, addrs, known, at), at, expires)
		n.leaveOut(limit, fitting-room, expires)
		fitting, left = room, n.united()
	}
	if excess := left.size() + fitting - full; excess > 0 {
		gone := n.victims(left, excess, n.yielding(q, addrs, left, at))
		n.drop(left, gone, AddressesPerName, at, expires)
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

// selection marks some of the addresses of a name.
type selection [families][]bool

// count returns how many are marked.
func (s *selection) count() (count int) {
	for _, marks := range s {
		for _, is := range marks {
			if is {
				count++
			}
		}
	}
	return count
}

// yielding marks the known addresses that an answer to q pushes out if need be: not those that it holds itself, that other
// questions hold live, or that were overheard within their TTL.
func (n *name) yielding(q *question, addrs []ip, known unions, at instant) (yields selection) {
	for f := range known {
		again := addrs
		if Family(f) != q.family {
			again = nil
		}
		must := n.heldBeside(q, Family(f))
		yields[f] = notAmong(known[f], again)
		for i := range yields[f] {
			u := &known[f][i]
			yields[f][i] = yields[f][i] && u.heard <= at && (must == nil || !must[u.ip])
		}
	}
	return yields
}

// notAmong marks those of us that are not among addrs; both are sorted.
func notAmong(us []union, addrs []ip) []bool {
	marks, j := make([]bool, len(us)), 0
	for i := range us {
		for j < len(addrs) && addrs[j].less(us[i].ip) {
			j++
		}
		marks[i] = j == len(addrs) || addrs[j] != us[i].ip
	}
	return marks
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

// victims marks the least recently answered of those of us that may go. It changes the selection.
func (n *name) victims(us unions, excess int, may selection) (gone selection) {
	s := n.view.book.takeScratch()
	defer n.view.book.putScratch(s)
	seen := s.space(&s.seen, us.size())
	candidates := s.space(&s.instants, us.size())[:0]
	firsts := [families]int{IPv6: len(us[IPv4])} // of the family in seen
	for f := range us {
		n.lastSeen(Family(f), us[f], seen[firsts[f]:])
		gone[f] = may[f]
		for i, is := range may[f] {
			if is {
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
func (n *name) drop(us unions, gone selection, limit Limit, at, expires instant) (count int) {
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
