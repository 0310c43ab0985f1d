// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"slices"
	"testing"
	"time"
)

// A cluster that becomes dual stack: the second family takes nothing away, and holds nothing back.
func TestSetFamilies_Wider(t *testing.T) {
	w := newWorld(t, Options{Families: []Family{IPv4}})
	w.answer(upstream, time.Minute, "192.0.2.1")
	f := w.newFollower()
	wanted := f.wanted()
	f.signalled()
	if got := w.Families(); !slices.Equal(got, []Family{IPv4}) || len(wanted) != 1 {
		t.Fatalf("families %v, wanted %v", got, wanted)
	}
	w.notified = nil
	w.pass(time.Hour)
	w.SetFamilies([]Family{IPv4, IPv6}, w.now)
	w.expectNotified(web)
	if !f.signalled() {
		t.Error("no signal")
	}
	if got := w.Families(); !slices.Equal(got, []Family{IPv4, IPv6}) {
		t.Errorf("families %v", got)
	}
	w.expect("192.0.2.1")
	w.expectState(Resolved, "")
	if e := w.entry(); e.Tried || !e.Answered.IsZero() {
		t.Errorf("tried %t, answered %v before anybody could be asked for AAAA", e.Tried, e.Answered)
	}
	w.absent(upstream, IPv6, NoData)
	w.expectNotified(web)
	if e := w.entry(); !e.Tried || !e.Answered.Equal(w.now) {
		t.Errorf("tried %t, answered %v", e.Tried, e.Answered)
	}

	w.wants(web, nil, www, "new.example.com") // which no answer speaks for
	if e := w.Snapshot(web, w.now).Patterns[1]; e.State != Pending || e.Message != "waiting for the first answer for A and AAAA" {
		t.Errorf("a new name is %s: %s", e.State, e.Message)
	}
}

func TestSetFamilies_WiderForANameThatNothingIsKnownOf(t *testing.T) {
	w := newWorld(t, Options{Families: []Family{IPv4}})
	w.SetFamilies([]Family{IPv6, IPv4}, w.now)
	w.answer(upstream, time.Minute, "192.0.2.1")
	w.expectState(Pending, "waiting for the first answer for AAAA")
}

func TestSetFamilies_Narrower(t *testing.T) {
	w := newWorld(t, Options{})
	w.answer(upstream, time.Minute, "192.0.2.1")
	w.answer(upstream, 2*time.Minute, "2001:db8::1")
	w.fails(second, IPv6, "SERVFAIL")
	w.notified = nil
	f := w.newFollower()
	f.signalled()
	w.pass(time.Minute)
	w.SetFamilies([]Family{IPv4}, w.now)
	w.expectNotified(web)
	if !f.signalled() {
		t.Error("no signal")
	}
	w.expect("192.0.2.1", "2001:db8::1 6m0s")
	w.expectState(Resolved, "")
	if e := w.entry(); !e.Tried || e.Answered.IsZero() {
		t.Errorf("tried %t, answered %v", e.Tried, e.Answered)
	}
	w.answer(upstream, time.Minute, "2001:db8::2") // was on its way
	w.pass(10 * time.Minute)
	w.expect("192.0.2.1")
	w.absent(upstream, IPv4, NoData)
	w.expectState(NotFound, "no A records (NODATA) from 10.96.0.10:53, keeping 1 address"+otherHosts)
	if got := w.Stats(); got.Questions != 1 || got.Addresses != 1 {
		t.Errorf("stats %+v", got)
	}
}

// What is asked again is known from its answers on, good or bad; what is retained meanwhile stays as long.
func TestSetFamilies_NarrowerAndBack(t *testing.T) {
	for name, tt := range map[string]struct {
		word    func(*world)
		state   State
		message string
		addrs   []string
	}{
		"no word yet": {func(*world) {}, Resolved, "", []string{"192.0.2.1", "2001:db8::1 3m0s"}},
		"good": {func(w *world) { w.answer(upstream, 0, "2001:db8::1") }, Resolved, "",
			[]string{"192.0.2.1", "2001:db8::1"}},
		"another": {func(w *world) { w.answer(upstream, 0, "2001:db8::2") }, Resolved, "",
			[]string{"192.0.2.1", "2001:db8::1 3m0s", "2001:db8::2"}},
		"failure": {func(w *world) { w.fails(upstream, IPv6, "SERVFAIL") }, Stale,
			"SERVFAIL for AAAA from 10.96.0.10:53, keeping 1 address", []string{"192.0.2.1", "2001:db8::1 3m0s"}},
		"retired": {func(w *world) { w.Retire("", upstream, w.now) }, Resolved, "",
			[]string{"192.0.2.1 current 24h0m0s", "2001:db8::1 3m0s"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Options{})
			w.answer(upstream, 2*time.Minute, "192.0.2.1")
			w.answer(upstream, 0, "2001:db8::1")
			w.SetFamilies([]Family{IPv4}, w.now)
			w.pass(2 * time.Minute)
			w.SetFamilies([]Family{IPv4, IPv6}, w.now)
			tt.word(w)
			w.expect(tt.addrs...)
			w.expectState(tt.state, tt.message)
		})
	}
}

// One family for another: nothing speaks for a name until the new one does.
func TestSetFamilies_TheOther(t *testing.T) {
	w := newWorld(t, Options{Families: []Family{IPv4}})
	w.answer(upstream, 0, "192.0.2.1")
	w.SetFamilies([]Family{IPv6}, w.now)
	w.expect("192.0.2.1 5m0s")
	w.expectState(Pending, "waiting for the first answer for AAAA")
	w.answer(upstream, 0, "2001:db8::1")
	w.expectState(Resolved, "")
}

func TestSetFamilies_WithoutAChange(t *testing.T) {
	w := newWorld(t, Options{})
	f := w.newFollower()
	f.signalled()
	w.SetFamilies(nil, w.now)
	w.SetFamilies([]Family{7}, w.now)
	w.SetFamilies([]Family{IPv6, IPv4, IPv6}, w.now)
	w.expectNotified()
	if f.signalled() {
		t.Error("a signal")
	}
}
