// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestJudge(t *testing.T) {
	t0, addr := time.Unix(1000, 0), netip.MustParseAddr("192.0.2.1")
	h := newHistory()
	h.set(set("192.0.2.1"), t0.Add(500*time.Millisecond))
	h.set(set(), t0.Add(2500*time.Millisecond))
	var a attempt
	for i := range connects {
		a.judge(i, h, addr, t0.Add(connectAfter(i)))
	}
	if want := [connects]bool{true, false, true}; a.missed != want {
		t.Errorf("missed: %v", a.missed)
	}
	if want := [connects]bool{true, true, false}; a.late != want {
		t.Errorf("missed with late writes: %v", a.late)
	}
}

func TestTally(t *testing.T) {
	var got tally
	got.add(attempt{since: time.Second, missed: [connects]bool{true, true, false}})
	got.add(attempt{since: 61 * time.Second, age: 7 * time.Millisecond, missed: [connects]bool{true}, late: [connects]bool{true, true}})
	got.add(attempt{since: 62 * time.Second, orphan: true, missed: [connects]bool{true}, late: [connects]bool{true, true}})
	got.add(attempt{since: 63 * time.Second})
	want := tally{
		FirstMinute: counts{Lookups: 1, Missed: [connects]int{1, 1, 0}},
		After: counts{Lookups: 2, Missed: [connects]int{1}, MissedLate: [connects]int{1, 1}, Orphans: 1,
			OrphanMissed: [connects]int{1}},
		Course:   make([]counts, 7),
		MissAges: []int64{7},
	}
	want.Course[0], want.Course[6] = want.FirstMinute, want.After
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPercent(t *testing.T) {
	if percent(0, 0) != 0 || percent(1, 8) != 12.5 {
		t.Error(percent(0, 0), percent(1, 8))
	}
}

func TestLearningAdds(t *testing.T) {
	l := learning{Entries: 2, Unseen: 1, After: []int64{3}}
	l.add(learning{Entries: 1, Orphans: 1, After: []int64{4}})
	if diff := cmp.Diff(learning{Entries: 3, Unseen: 1, Orphans: 1, After: []int64{3, 4}}, l); diff != "" {
		t.Error(diff)
	}
}
