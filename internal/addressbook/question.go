// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// question is what one source said about one family of one name. There are few of a name, so they lie in a slice.
type question struct {
	source Source
	family Family

	failed  bool   // the last word is a failure
	reason  string // of that failure, or the one before
	outcome Outcome
	good    instant  // when the last good answer came; never: none did
	expires instant  // when that answer expires
	retired instant  // never: in service
	capped  bool     // its TTL was longer than what counts
	trouble *trouble // nil: it never failed, nor had it addresses at one time and none at another

	// holdings are sorted by address.
	holdings []holding
}

// holding is one address that a question keeps.
type holding struct {
	addr netip.Addr
	// from is where retention starts: the later of the expiry of the last answer that held the address and the first
	// good answer without it. never: the last good answer holds it.
	from instant
	// seen is when the last answer that held it came; while from is never, the question's good stands for it, so
	// that the repeat of an answer touches no holding.
	seen instant
}

func (h holding) current() bool { return h.from == never }

func newQuestion(k Key) question {
	return question{source: k.Source, family: k.Family, good: never, expires: never, retired: never}
}

// compare orders questions by family, then source: the addresses of a name with one source are then sorted as they lie.
func (q question) compare(k Key) int {
	return cmp.Or(cmp.Compare(q.family, k.Family), strings.Compare(string(q.source), string(k.Source)))
}

// live tells whether the source is in service and its last word is good: what it holds stays.
func (q *question) live() bool { return q.retired == never && !q.failed && q.good != never }

// silent tells whether nothing that the question said counts, because its family is not asked any more.
func (q *question) silent() bool { return !q.failed && q.good == never }

// repeats tells whether a good answer says what the question's last word said.
func (q *question) repeats(a answer) bool {
	return q.live() && q.outcome == a.outcome && q.capped == a.capped && q.holds(a.addrs)
}

// holds tells whether the last good answer held just addrs, which are sorted.
func (q *question) holds(addrs []netip.Addr) bool {
	i := 0
	for _, h := range q.holdings {
		if !h.current() {
			continue
		}
		if i == len(addrs) || h.addr != addrs[i] {
			return false
		}
		i++
	}
	return i == len(addrs)
}

// replace makes addrs (sorted, distinct) the current holdings at the instant of an answer; those that it lacks start
// to age. A rotation within known addresses allocates nothing; otherwise the new slice has the right size, because
// most names never change theirs again.
func (q *question) replace(addrs []netip.Addr, at instant) {
	merged := q.holdings[:0]
	if fresh := q.fresh(addrs); fresh > 0 {
		merged = make([]holding, 0, len(q.holdings)+fresh)
	}
	for _, h := range q.holdings {
		for len(addrs) > 0 && addrs[0].Less(h.addr) {
			merged = append(merged, holding{addr: addrs[0], from: never})
			addrs = addrs[1:]
		}
		if len(addrs) > 0 && addrs[0] == h.addr {
			h.from = never
			addrs = addrs[1:]
		} else if h.current() {
			h.from, h.seen = max(q.expires, at), q.good
		}
		merged = append(merged, h)
	}
	for _, addr := range addrs {
		merged = append(merged, holding{addr: addr, from: never})
	}
	q.holdings = merged
}

// has tells whether the question keeps addr, current or retained.
func (q *question) has(addr netip.Addr) bool {
	_, ok := slices.BinarySearchFunc(q.holdings, addr, func(h holding, a netip.Addr) int { return h.addr.Compare(a) })
	return ok
}

// fresh counts the addresses that are in no holding.
func (q *question) fresh(addrs []netip.Addr) int {
	fresh, i := 0, 0
	for _, addr := range addrs {
		for i < len(q.holdings) && q.holdings[i].addr.Less(addr) {
			i++
		}
		if i == len(q.holdings) || q.holdings[i].addr != addr {
			fresh++
		}
	}
	return fresh
}

// age lets all current holdings start to age: another source has taken over from this one, which is retired, or the family
// is not asked any more.
func (q *question) age(at instant) {
	for i, h := range q.holdings {
		if h.current() {
			q.holdings[i].from, q.holdings[i].seen = max(q.expires, q.retired, at), q.good
		}
	}
}

// ageing tells whether no holding is current.
func (q *question) ageing() bool { return !slices.ContainsFunc(q.holdings, holding.current) }

// seen is when the last answer with h came.
func (q *question) seen(h holding) instant {
	if h.current() {
		return q.good
	}
	return h.seen
}

// end is when h goes under a retention, if nothing changes.
func (q *question) end(h holding, retention, maxStale time.Duration) instant {
	switch {
	case !h.current():
		return h.from.plus(retention)
	case q.live():
		return forever
	}
	return q.expires.plus(maxStale)
}
