// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

// captureBytes is what one capture takes: an address of 24 bytes, an instant of 8 and a count of 4, padded to 40; slices grow by
// a quarter, so 50.
const captureBytes = 50

// capture is what a rotation remembers of one address.
type capture struct {
	addr  netip.Addr
	last  instant // when it was told last
	times int32   // how often it was
}

// captures are sorted by address. They outlive the addresses themselves: those that come back late are why to keep them
// longer.
type captures struct {
	list []capture
	// all counts those of the process.
	all *atomic.Int64
}

// resized takes over a new list.
func (c *captures) resized(list []capture) {
	c.all.Add(int64(len(list) - len(c.list)))
	c.list = list
}

// forget drops what was told last a memory ago.
func (c *captures) forget(memory time.Duration, at instant) {
	c.resized(slices.DeleteFunc(slices.Clip(c.list), func(x capture) bool { return x.last.plus(memory) <= at }))
}

// sighting is what an answer says about the addresses that were captured.
type sighting struct {
	discovers bool // one was never captured
	unkept    bool // one is not kept
	returns   bool // one was captured, but the last answer of no source held it
}

// see captures the addresses of an answer, which are sorted; known were those of the name before it.
func (c *captures) see(addrs []netip.Addr, known []union, at instant) sighting {
	var s sighting
	var fresh []capture
	kept := cursor{known}
	i := 0
	for _, a := range addrs {
		u, isKept := kept.at(a)
		s.unkept = s.unkept || !isKept
		for i < len(c.list) && c.list[i].addr.Less(a) {
			i++
		}
		if i == len(c.list) || c.list[i].addr != a {
			fresh = append(fresh, capture{addr: a, last: at, times: 1})
			continue
		}
		c.list[i].times++
		c.list[i].last = at
		s.returns = s.returns || !isKept || !u.current(at)
	}
	s.discovers = len(fresh) > 0
	c.insert(fresh)
	return s
}

// insert merges fresh ones, which are sorted and in none of the list.
func (c *captures) insert(fresh []capture) {
	if len(fresh) == 0 {
		return
	}
	merged := make([]capture, 0, len(c.list)+len(fresh))
	for _, x := range c.list {
		for len(fresh) > 0 && fresh[0].addr.Less(x.addr) {
			merged = append(merged, fresh[0])
			fresh = fresh[1:]
		}
		merged = append(merged, x)
	}
	c.resized(append(merged, fresh...))
}

// shrink drops what was told least recently until limit are left; of what was told at the same time the lowest.
func (c *captures) shrink(limit int) {
	excess := len(c.list) - limit
	if excess <= 0 {
		return
	}
	lasts := make([]instant, len(c.list))
	for i, x := range c.list {
		lasts[i] = x.last
	}
	oldest, ties := oldestOf(lasts, excess)
	c.resized(slices.DeleteFunc(c.list, func(x capture) bool {
		if x.last == oldest && ties > 0 {
			ties--
			return true
		}
		return x.last < oldest
	}))
}

// oldestOf returns the instant of the last one of the excess oldest, and how many of the excess have just that. It sorts
// the instants: integers, a tenth of the cost of sorting what they belong to.
func oldestOf(instants []instant, excess int) (oldest instant, ties int) {
	slices.Sort(instants)
	oldest = instants[excess-1]
	older, _ := slices.BinarySearch(instants, oldest)
	return oldest, excess - older
}

// counts returns how many addresses were captured once, and how many twice.
func (c *captures) counts() (once, twice int) {
	for _, x := range c.list {
		switch x.times {
		case 1:
			once++
		case 2:
			twice++
		}
	}
	return once, twice
}

// outside counts the captures that are neither among addrs nor among known, which are both sorted.
func (c *captures) outside(addrs []netip.Addr, known []union) int {
	outside := 0
	kept := cursor{known}
	for _, x := range c.list {
		for len(addrs) > 0 && addrs[0].Less(x.addr) {
			addrs = addrs[1:]
		}
		if len(addrs) > 0 && addrs[0] == x.addr {
			continue
		}
		if _, isKept := kept.at(x.addr); !isKept {
			outside++
		}
	}
	return outside
}
