// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"net/netip"
	"time"
)

// union is one address of a name over everybody who says it, without any owner's retention. With a retention of 5m:
//
//	an address that                       stays  bound         from    heard  goes
//	the last good answer holds            yes    never         never   never  never
//	... of a source that fails since      no     expiry + 24h  never   never  at bound
//	answers lack since 10:00              no     never         10:00   never  10:05
//	was overheard, with a TTL to 10:02    no     never         never   10:02  10:07
//	both of the last two                  no     never         10:00   10:02  10:07
type union struct {
	addr  netip.Addr
	stays bool    // a live question holds it
	bound instant // the latest end by MaxStale, of questions whose source fails or is retired; never: none such
	from  instant // the latest start of retention; never: it is retained by no question
	heard instant // the end of the TTL with which it was overheard; never: it was not
}

// until is when it goes for an owner with that retention, if nothing changes.
func (u union) until(retention time.Duration) instant {
	if u.stays {
		return forever
	}
	return max(u.bound, max(u.from, u.heard).plus(retention))
}

func (u union) current(at instant) bool { return u.stays || u.bound > at || u.heard > at }

func (u union) kept(retention time.Duration, at instant) bool { return u.until(retention) > at }

func (u union) listed(retention time.Duration, at instant) bool {
	return u.until(retention).plus(ListedAfterUntil) > at
}

// asked is u without what was overheard: only that has a say in a state.
func (u union) asked() union {
	u.heard = never
	return u
}

// next is when u changes by itself after at: it goes, or it is no longer current and only retained, for those who were asked or
// altogether.
func (u union) next(retention time.Duration, at instant) instant {
	next := forever
	if u.stays {
		return next
	}
	for _, turn := range [...]instant{u.bound, u.heard, u.asked().until(retention), u.until(retention)} {
		if turn > at {
			next = min(next, turn)
		}
	}
	return next
}

// cachedUnion is from how many addresses on a name keeps its union from one change to the next. To unite 64 addresses takes
// about half a microsecond; to keep them 4 kB.
const cachedUnion = 64

// united returns the addresses of a name, sorted and distinct. It is immutable.
func (n *name) united() []union {
	if n.union != nil {
		return n.union
	}
	us := n.unite()
	n.resize(len(us))
	if len(us) >= cachedUnion {
		n.union = us
	}
	return us
}

// unite merges the sorted lists of the questions and of what was overheard.
func (n *name) unite() []union {
	size := len(n.overheard)
	for i := range n.questions {
		size += len(n.questions[i].holdings)
	}
	if size == 0 {
		return nil
	}
	merged := make([]union, 0, size)
	for i := range n.questions {
		merged = n.questions[i].mergeInto(merged, n.book.options.MaxStale)
	}
	for _, o := range n.overheard {
		merged = append(merged, union{addr: o.addr, bound: never, from: never, heard: o.end})
	}
	return mergeTail(merged, len(merged)-len(n.overheard))
}

// mergeInto appends the addresses of q and merges them with those before them.
func (q *question) mergeInto(merged []union, maxStale time.Duration) []union {
	before := len(merged)
	for _, h := range q.holdings {
		merged = append(merged, q.unionOf(h, maxStale))
	}
	return mergeTail(merged, before)
}

// mergeTail merges two sorted halves of us, of which the second begins at middle, and unites equal addresses. Most often
// all of the second comes after the first: one source, A before AAAA.
func mergeTail(us []union, middle int) []union {
	if middle == 0 || middle == len(us) || us[middle-1].addr.Less(us[middle].addr) {
		return us
	}
	merged := make([]union, 0, cap(us))
	a, b := us[:middle], us[middle:]
	for len(a) > 0 && len(b) > 0 {
		switch c := a[0].addr.Compare(b[0].addr); {
		case c < 0:
			merged, a = append(merged, a[0]), a[1:]
		case c > 0:
			merged, b = append(merged, b[0]), b[1:]
		default:
			merged, a, b = append(merged, a[0].with(b[0])), a[1:], b[1:]
		}
	}
	return append(append(merged, a...), b...)
}

func (q *question) unionOf(h holding, maxStale time.Duration) union {
	u := union{addr: h.addr, bound: never, from: h.from, heard: never}
	switch {
	case !h.current():
	case q.live():
		u.stays = true
	default:
		u.bound = q.expires.plus(maxStale)
	}
	return u
}

// with returns what u and v, which is of the same address, are together.
func (u union) with(v union) union {
	u.stays = u.stays || v.stays
	u.bound = max(u.bound, v.bound)
	u.from = max(u.from, v.from)
	u.heard = max(u.heard, v.heard)
	return u
}

// cursor walks a sorted list of addresses beside another sorted one.
type cursor struct{ us []union }

// at returns the union of addr, if there is one. Addresses must come in order.
func (c *cursor) at(addr netip.Addr) (union, bool) {
	for len(c.us) > 0 && c.us[0].addr.Less(addr) {
		c.us = c.us[1:]
	}
	if len(c.us) > 0 && c.us[0].addr == addr {
		return c.us[0], true
	}
	return union{}, false
}
