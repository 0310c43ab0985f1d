// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"testing"
	"time"
)

func TestWindow(t *testing.T) {
	var w window
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	send := func(c class) (sent []uint64) {
		w.age(now)
		for w.room(c) > 0 {
			sent = append(sent, w.add("shop", now))
		}
		return sent
	}
	failing := send(fresh)
	if len(failing) != windowOfFailing {
		t.Errorf("%d questions of new names at once, want %d", len(failing), windowOfFailing)
	}
	if n := len(send(healthy)); n != windowSize-windowOfFailing {
		t.Errorf("%d healthy ones beside them, want %d", n, windowSize-windowOfFailing)
	}
	for _, number := range failing[40:] {
		w.end(number)
		w.end(number) // twice is once
	}
	if n := len(send(healthy)); n != len(failing)-40 {
		t.Errorf("%d more after %d answers", n, len(failing)-40)
	}
	now = now.Add(windowAge - time.Millisecond)
	if next := w.next(now); next != time.Millisecond {
		t.Errorf("the oldest count for %v more", next)
	}
	now = now.Add(time.Millisecond)
	if n := len(send(healthy)); n != windowSize {
		t.Errorf("%d at once after all grew old", n)
	}
	for _, number := range failing {
		w.end(number) // late answers free no place
	}
	if w.room(healthy) > 0 || w.held["shop"] != windowSize {
		t.Error("answers to old questions freed places")
	}
	now = now.Add(windowAge)
	if w.age(now); w.open > 0 || len(w.held) > 0 || w.next(now) != 0 {
		t.Errorf("%d count when all is old", w.open)
	}
}

// A thousand names come at once. The server is never sent more than fits into its socket before it answers, and yet all are asked soon.
func TestWindow_ABurstOfNames(t *testing.T) {
	names := numbered("n%d.example.com", 1000)
	answers := func(asked) reply { return reply{after: 5 * time.Millisecond} }
	bubble(t, setup{}, names, []string{up1}, answers, func(w *world) {
		w.at(time.Second)
		if w.maxFlyer > windowOfFailing {
			t.Errorf("%d questions at once, want at most %d", w.maxFlyer, windowOfFailing)
		}
		if n := len(w.times("n")); n != 2*len(names) {
			t.Errorf("%d of %d questions were asked within a second", n, 2*len(names))
		}
	})
}
