// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/netip"
	"slices"
	"time"
)

// When a pod connects after a lookup, and how much later each write reaches the nodes in the second judgement.
const (
	connects   = 3
	writeDelay = time.Second
)

func connectAfter(i int) time.Duration {
	return [connects]time.Duration{0, time.Second, 3 * time.Second}[i]
}

// attempt is a lookup and the connections that follow, each to the same address.
type attempt struct {
	since  time.Duration // from the first NetworkPolicy to the lookup
	orphan bool          // the cache has not kept the answer
	age    time.Duration // of the cache's entry; negative: not known
	missed [connects]bool
	late   [connects]bool // with the writes later
}

// judge says what becomes of the i-th connection, at a time.
func (a *attempt) judge(i int, h *history, to netip.Addr, at time.Time) {
	a.missed[i] = !h.allows(to, at)
	a.late[i] = !h.allows(to, at.Add(-writeDelay))
}

// counts sums attempts up. Those of orphans are in the last two fields alone.
type counts struct {
	Lookups      int           `json:"lookups"`
	Missed       [connects]int `json:"missed"`
	MissedLate   [connects]int `json:"missedWithLateWrites"`
	Orphans      int           `json:"orphans"`
	OrphanMissed [connects]int `json:"orphansMissed"`
}

func (c *counts) add(a attempt) {
	missed, late := &c.Missed, &c.MissedLate
	if a.orphan {
		c.Orphans++
		missed, late = &c.OrphanMissed, &[connects]int{}
	} else {
		c.Lookups++
	}
	for i := range connects {
		missed[i] += boolToInt(a.missed[i])
		late[i] += boolToInt(a.late[i])
	}
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// learning is how the controller learns what the caches keep.
type learning struct {
	Entries int     `json:"entries"`
	Unseen  int     `json:"unseen"`  // of them: it was never told
	Orphans int     `json:"orphans"` // answers that it was told and that the cache did not keep
	After   []int64 `json:"afterMilliseconds"`
}

func (l *learning) add(m learning) {
	l.Entries, l.Unseen, l.Orphans = l.Entries+m.Entries, l.Unseen+m.Unseen, l.Orphans+m.Orphans
	l.After = append(l.After, m.After...)
}

// percent is 0 of nothing.
func percent(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return 100 * float64(n) / float64(of)
}

// The first minute is counted apart. The course is counted in steps.
const (
	warmup = time.Minute
	step   = 10 * time.Second
)

// tally is what became of the attempts of one configuration.
type tally struct {
	FirstMinute counts   `json:"firstMinute"`
	After       counts   `json:"after"`
	Course      []counts `json:"course"`
	// MissAges are the milliseconds that the cache had had the entry for at each lookup, kept and after the first minute,
	// whose connection missed at once.
	MissAges []int64 `json:"missAgesMilliseconds"`
}

func (t *tally) add(a attempt) {
	i := int(a.since / step)
	if more := i + 1 - len(t.Course); more > 0 {
		t.Course = slices.Concat(t.Course, make([]counts, more))
	}
	t.Course[i].add(a)
	if a.since < warmup {
		t.FirstMinute.add(a)
		return
	}
	t.After.add(a)
	if a.missed[0] && !a.orphan && a.age >= 0 {
		t.MissAges = append(t.MissAges, a.age.Milliseconds())
	}
}
