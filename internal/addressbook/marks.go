// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"slices"
	"time"
)

// listedFrom is the shortest retention with which a Snapshot still lists u: to drop u matters to owners with that or more.
func (u *union) listedFrom(at instant) time.Duration {
	from := max(u.from, u.heard)
	if from == never || u.bound.plus(ListedAfterUntil) > at {
		return 0
	}
	return max(0, time.Duration(at-from)-ListedAfterUntil+1)
}

// leaveOut takes note that so many addresses were left out for all who list the name.
func (n *name) leaveOut(limit Limit, count int, expires instant) {
	if count > 0 {
		n.view.book.counts.evicted.Add(uint64(count))
		n.change().marks = n.rare.marks.with(mark{limit: limit, until: expires})
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
