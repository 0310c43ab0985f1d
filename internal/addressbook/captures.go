// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"slices"
	"sync/atomic"
	"time"
)

// capture is what a rotation remembers of one address.
type capture struct {
	ip    ip
	last  instant // when it was told last
	times int32   // how often it was
}

// captures are sorted by address. They outlive the addresses themselves: those that come back late are why to keep them
// longer.
type captures struct {
	list []capture
	// oldest is no later than any of their last instants.
	oldest instant
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
	if c.oldest.plus(memory) > at {
		return
	}
	before := len(c.list)
	c.oldest = at
	c.list = slices.DeleteFunc(c.list, func(x capture) bool {
		over := x.last.plus(memory) <= at
		if !over {
			c.oldest = min(c.oldest, x.last)
		}
		return over
	})
	c.all.Add(int64(len(c.list) - before))
}

// sighting is what an answer says about the addresses that were captured.
type sighting struct {
	discovers bool // one was never captured
	unkept    bool // one is not kept
	returns   bool // one was captured, but the last answer of no source held it
}

// see captures the addresses of an answer, which are sorted; known were those of the name before it.
func (c *captures) see(addrs []ip, known []union, at instant) sighting {
	var s sighting
	missing, i, kept := 0, 0, cursor{us: known}
	for _, a := range addrs {
		u := kept.at(a)
		s.unkept = s.unkept || u == nil
		for i < len(c.list) && c.list[i].ip.less(a) {
			i++
		}
		if i == len(c.list) || c.list[i].ip != a {
			missing++
			continue
		}
		c.list[i].times++
		c.list[i].last = at
		s.returns = s.returns || u == nil || !u.current(at)
	}
	s.discovers = missing > 0
	c.oldest = min(c.oldest, at)
	c.all.Add(int64(missing))
	c.list = insertMissing(c.list, func(x *capture) ip { return x.ip }, addrs, missing,
		func(a ip) capture { return capture{ip: a, last: at, times: 1} })
	return s
}

// shrink drops what was told least recently until limit are left; of what was told at the same time the lowest.
func (c *captures) shrink(limit int, s *scratch) {
	excess := len(c.list) - limit
	if excess <= 0 {
		return
	}
	lasts := s.space(&s.instants, len(c.list))
	for i := range c.list {
		lasts[i] = c.list[i].last
	}
	oldest, ties := oldestOf(lasts, excess)
	c.list = slices.DeleteFunc(c.list, func(x capture) bool {
		if x.last == oldest && ties > 0 {
			ties--
			return true
		}
		return x.last < oldest
	})
	c.all.Add(-int64(excess))
}

// counts returns how many addresses were captured once, and how many twice.
func (c *captures) counts() (once, twice int) {
	for i := range c.list {
		switch c.list[i].times {
		case 1:
			once++
		case 2:
			twice++
		}
	}
	return once, twice
}

// outside counts the captures that are neither among addrs nor among known, which are both sorted.
func (c *captures) outside(addrs []ip, known []union) int {
	outside := 0
	kept := cursor{us: known}
	for i := range c.list {
		x := c.list[i].ip
		for len(addrs) > 0 && addrs[0].less(x) {
			addrs = addrs[1:]
		}
		if (len(addrs) == 0 || addrs[0] != x) && kept.at(x) == nil {
			outside++
		}
	}
	return outside
}

// oldestOf returns the newest of the excess oldest instants, and how many of these equal it. It reorders the slice (quickselect):
// each is looked at about twice, where sorting looks at each ten times.
func oldestOf(instants []instant, excess int) (oldest instant, ties int) {
	part, before := instants, 0 // part has the one that is looked for, and so many older ones are outside
	for {
		pivot := part[len(part)/2]
		older, newer := partition(part, pivot)
		switch wanted := excess - before; {
		case wanted <= older:
			part = part[:older]
		case wanted <= newer:
			return pivot, wanted - older
		default:
			part, before = part[newer:], before+newer
		}
	}
}

// partition puts what is older than pivot first and what is newer last, and returns where the first ends and the last begins.
func partition(part []instant, pivot instant) (older, newer int) {
	newer = len(part)
	for i := 0; i < newer; {
		switch x := part[i]; {
		case x < pivot:
			part[i], part[older] = part[older], x
			i, older = i+1, older+1
		case x > pivot:
			newer--
			part[i], part[newer] = part[newer], x
		default:
			i++
		}
	}
	return older, newer
}
