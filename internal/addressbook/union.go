// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import "time"

// union is one address of a name over everybody who says it, without any owner's retention. With a retention of 5m:
//
//	an address that                       stays  bound         from    heard  goes
//	the last good answer holds            yes    never         never   never  never
//	... of a source that fails since      no     expiry + 24h  never   never  at bound
//	answers lack since 10:00              no     never         10:00   never  10:05
//	was overheard, with a TTL to 10:02    no     never         never   10:02  10:07
//	both of the last two                  no     never         10:00   10:02  10:07
type union struct {
	ip    ip
	stays bool    // a live question holds it
	bound instant // the latest end by MaxStale, of questions whose source fails or is retired; never: none such
	from  instant // the latest start of retention; never: it is retained by no question
	heard instant // the end of the TTL with which it was overheard; never: it was not
}

// until is when it goes for an owner with that retention, if nothing changes.
func (u *union) until(retention time.Duration) instant {
	if u.stays {
		return forever
	}
	return max(u.bound, max(u.from, u.heard).plus(retention))
}

func (u *union) current(at instant) bool { return u.stays || u.bound > at || u.heard > at }

func (u *union) kept(retention time.Duration, at instant) bool { return u.until(retention) > at }

func (u *union) listed(retention time.Duration, at instant) bool {
	return u.until(retention).plus(ListedAfterUntil) > at
}

// unions are the addresses of a name, by family, sorted and distinct. They are immutable until they are recycled.
type unions [families][]union

func (us *unions) size() int { return len(us[IPv4]) + len(us[IPv6]) }

// cachedUnion is from how many addresses of a family on a name keeps its union from one change to the next. To unite 64
// addresses takes less than a microsecond; to keep them 3.5 kB.
const cachedUnion = 64

// united returns the addresses of a name.
func (n *name) united() unions {
	var us unions
	for f := range us {
		if us[f] = n.rare.union[f]; us[f] == nil {
			us[f] = n.unite(Family(f))
		}
		if len(us[f]) >= n.view.book.cachedUnion {
			n.change().union[f] = us[f]
		}
	}
	n.resize(us.size())
	return us
}

// unite merges the sorted lists of the questions and of what was overheard.
func (n *name) unite(f Family) []union {
	size := len(n.rare.overheard[f])
	for i := range n.questions {
		if q := &n.questions[i]; q.family == f {
			size += len(q.holdings)
		}
	}
	if size == 0 {
		return nil
	}
	merged := n.view.book.spareUnion(size)
	for i := range n.questions {
		if q := &n.questions[i]; q.family == f && len(q.holdings) > 0 {
			before := len(merged)
			merged = n.view.book.mergeTail(q.appendTo(merged, n.view.book.options.MaxStale), before, size)
		}
	}
	before := len(merged)
	for _, o := range n.rare.overheard[f] {
		merged = append(merged, union{ip: o.ip, bound: never, from: never, heard: o.end})
	}
	return n.view.book.mergeTail(merged, before, size)
}

// appendTo appends the addresses of q.
func (q *question) appendTo(us []union, maxStale time.Duration) []union {
	stays, bound := q.live(), never
	if !stays {
		bound = q.expires.plus(maxStale)
	}
	for i := range q.holdings {
		h := &q.holdings[i]
		u := union{ip: h.ip, bound: never, from: h.from, heard: never}
		if h.current() {
			u.stays, u.bound = stays, bound
		}
		us = append(us, u)
	}
	return us
}

// mergeTail merges two sorted halves of us, of which the second begins at middle, and unites equal addresses. Most often
// there is one source, and one half. There is to be room for size of them.
func (b *Book) mergeTail(us []union, middle, size int) []union {
	if middle == 0 || middle == len(us) || us[middle-1].ip.less(us[middle].ip) {
		return us
	}
	merged := b.spareUnion(size)
	one, other := us[:middle], us[middle:]
	for len(one) > 0 && len(other) > 0 {
		switch c := one[0].ip.compare(other[0].ip); {
		case c < 0:
			merged, one = append(merged, one[0]), one[1:]
		case c > 0:
			merged, other = append(merged, other[0]), other[1:]
		default:
			merged, one, other = append(merged, one[0].with(other[0])), one[1:], other[1:]
		}
	}
	merged = append(append(merged, one...), other...)
	b.recycle(us)
	return merged
}

// with returns what u and v, which is of the same address, are together.
func (u union) with(v union) union {
	u.stays = u.stays || v.stays
	u.bound = max(u.bound, v.bound)
	u.from = max(u.from, v.from)
	u.heard = max(u.heard, v.heard)
	return u
}

// cursor walks a sorted list beside another one.
type cursor struct {
	us []union
	i  int
}

// at returns the union of addr, or nil. Addresses must come in order.
func (c *cursor) at(addr ip) *union {
	for c.i < len(c.us) && c.us[c.i].ip.less(addr) {
		c.i++
	}
	if c.i < len(c.us) && c.us[c.i].ip == addr {
		return &c.us[c.i]
	}
	return nil
}

// spareUnion returns space for so many unions. That of big names comes from the last such name: to allocate and clear 50 kB
// at each answer would take as long as the rest, and hold the lock while the garbage collector asks for help.
func (b *Book) spareUnion(size int) []union {
	if size < b.cachedUnion {
		return make([]union, 0, size)
	}
	select {
	case spare := <-b.spares:
		if cap(spare) >= size {
			return spare[:0]
		}
	default:
	}
	return make([]union, 0, size+size/4)
}

// spareUnions is how many are kept: as many as calls are under way, about.
const spareUnions = 8

// recycle takes back space that nobody reads any more.
func (b *Book) recycle(us []union) {
	if cap(us) < b.cachedUnion {
		return
	}
	select {
	case b.spares <- us:
	default:
	}
}

// recycle takes back what a change replaced.
func (n *name) recycle(before unions) {
	for f, us := range before {
		if len(us) >= n.view.book.cachedUnion && (len(n.rare.union[f]) == 0 || &us[0] != &n.rare.union[f][0]) {
			n.view.book.recycle(us)
		}
	}
}

// dropUnion forgets the union of a family that nobody reads any more.
func (n *name) dropUnion(f Family) {
	if us := n.rare.union[f]; us != nil {
		n.view.book.recycle(us)
		n.rare.union[f] = nil
	}
}
