// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"net/netip"
	"slices"
	"time"
)

// union is one address of a name over all questions that hold it, without any owner's retention.
type union struct {
	addr  netip.Addr
	stays bool    // a live question holds it
	bound instant // the latest end by MaxStale, of questions whose source fails or is retired; never: none such
	from  instant // the latest start of retention; never: it is retained by no question
	seen  instant // the latest answer that held it
}

// until is when it goes for an owner with that retention, if nothing changes.
func (u union) until(retention time.Duration) instant {
	if u.stays {
		return forever
	}
	return max(u.bound, u.from.plus(retention))
}

func (u union) current(at instant) bool { return u.stays || u.bound > at }

func (u union) kept(retention time.Duration, at instant) bool { return u.until(retention) > at }

func (u union) listed(retention time.Duration, at instant) bool {
	return u.until(retention).plus(Linger) > at
}

// unite appends the addresses of a name to buf, sorted and distinct.
func (n *name) unite(buf []union, maxStale time.Duration) []union {
	for i := range n.questions {
		q := &n.questions[i]
		for _, h := range q.holdings {
			buf = append(buf, q.unionOf(h, maxStale))
		}
	}
	slices.SortFunc(buf, func(a, b union) int { return a.addr.Compare(b.addr) })
	merged := buf[:0]
	for _, u := range buf {
		if last := len(merged) - 1; last >= 0 && merged[last].addr == u.addr {
			merged[last] = merged[last].with(u)
			continue
		}
		merged = append(merged, u)
	}
	return merged
}

func (q *question) unionOf(h holding, maxStale time.Duration) union {
	u := union{addr: h.addr, bound: never, from: h.from, seen: h.seen}
	if !h.current() {
		return u
	}
	u.seen = q.good
	if q.live() {
		u.stays = true
	} else {
		u.bound = q.expires.plus(maxStale)
	}
	return u
}

// with returns what u and v, which is of the same address, are together.
func (u union) with(v union) union {
	u.stays = u.stays || v.stays
	u.bound = max(u.bound, v.bound)
	u.from = max(u.from, v.from)
	u.seen = max(u.seen, v.seen)
	return u
}

// among tells whether addr is one of us, which are sorted.
func among(us []union, addr netip.Addr) bool {
	_, ok := search(us, addr)
	return ok
}

func search(us []union, addr netip.Addr) (int, bool) {
	return slices.BinarySearchFunc(us, addr, func(u union, a netip.Addr) int { return u.addr.Compare(a) })
}
