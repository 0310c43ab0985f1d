// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

var (
	lone    = Owner{Kind: "FQDNEgressPolicy", Namespace: "apps", Name: "tenant"}
	ownView = ViewOf([]string{"192.0.2.53:53"})
)

// withTenant adds an owner with a view of its own to the world.
func (w *world) withTenant() {
	w.Want(lone, Wants{Patterns: []fqdn.Pattern{pattern(www)}, View: ownView}, w.now)
}

func (w *world) expectService(o Owner, served int, heard bool) {
	w.t.Helper()
	s := w.Snapshot(o, w.now)
	if s.Served != served || s.Heard != heard {
		w.t.Errorf("%s: Served %d, Heard %t, want %d, %t", o.Name, s.Served, s.Heard, served, heard)
	}
}

func TestServe_WakesTheOwnersOfTheViewWhenTheFirstComesAndTheLastGoes(t *testing.T) {
	w := newWorld(t, Options{})
	w.withTenant()
	w.expectService(web, 0, false)
	for _, step := range []struct {
		view     View
		sources  int
		notified []Owner
	}{
		{"", 2, []Owner{web}},
		{"", 3, nil},
		{ownView, 1, []Owner{lone}},
		{ownView, 0, []Owner{lone}},
		{ownView, 0, nil},
		{"", 0, []Owner{web}},
		{"", -1, nil},
		{ViewOf([]string{"nobody's"}), 1, nil},
	} {
		w.Serve(step.view, step.sources)
		w.expectNotified(step.notified...)
	}
	w.Serve("", 5)
	w.expectService(web, 5, false)
	w.expectService(lone, 0, false)
}

func TestHeard_WakesAllOwnersOfTheViewOnce(t *testing.T) {
	w := newWorld(t, Options{})
	w.withTenant()
	other := Owner{Kind: "FQDNEgressPolicy", Namespace: "shop", Name: "other"}
	w.wants(other, nil, "other.example.com")
	w.fails(upstream, IPv4, "timeout")
	w.expectService(web, 0, false)
	w.notified = nil

	w.absent(upstream, IPv6, NoData)
	less := cmpopts.SortSlices(func(a, b Owner) bool { return a.Name < b.Name })
	if d := cmp.Diff([]Owner{other, web}, w.notified, less); d != "" {
		t.Errorf("notified (-want +got):\n%s", d)
	}
	w.expectService(web, 0, true)
	w.expectService(other, 0, true)
	w.expectService(lone, 0, false)

	w.notified = nil
	w.answer(upstream, time.Minute, "192.0.2.1")
	w.expectNotified(web)
}

// A view that all leave is heard anew, unless its sources are still asked; the view of the process is not forgotten.
func TestHeard_OfAViewThatAllLeft(t *testing.T) {
	w := newWorld(t, Options{})
	hear := func() {
		w.withTenant()
		w.Record(Key{View: ownView, Name: host(www), Source: "192.0.2.53:53"}, Answer{Addrs: v4(1, 1)}, w.now)
		w.expectService(lone, w.Snapshot(lone, w.now).Served, true)
		w.Forget(lone)
		w.withTenant()
	}
	hear()
	w.expectService(lone, 0, false)
	w.Serve(ownView, 1)
	hear()
	w.expectService(lone, 1, true)
	w.withTenant() // says nothing new
	w.expectService(lone, 1, true)
	w.Forget(lone)
	w.Serve(ownView, 0)
	w.answer(upstream, 0, "192.0.2.1")
	w.Serve("", 1)
	w.Forget(web)
	if len(w.views) != 1 {
		t.Errorf("%d views are remembered: %v", len(w.views), w.views)
	}
	w.wants(web, nil, www)
	w.expectService(web, 1, true)
}

func TestHolders(t *testing.T) {
	w := newWorld(t, Options{})
	one := netip.MustParseAddr("192.0.2.1")
	about := Subject{Name: host(www)}
	expect := func(want ...Source) {
		t.Helper()
		if d := cmp.Diff(want, w.Holders(about, one), cmpopts.EquateEmpty()); d != "" {
			t.Errorf("holders (-want +got):\n%s", d)
		}
	}
	expect()
	w.answer(second, 0, "192.0.2.1")
	w.answer(upstream, 0, "192.0.2.1", "192.0.2.2")
	w.answer("10.96.0.12:53", 0, "192.0.2.2")
	w.answer(second, 0, "2001:db8::1")
	expect(upstream, second)
	w.answer(upstream, 0, "192.0.2.2") // retained
	w.fails(second, IPv4, "timeout")
	expect(upstream, second)
	w.pass(time.Hour)
	w.answer(upstream, 0, "192.0.2.2")
	expect(second)
	about.Name = host("unknown.example.com")
	expect()
}

func TestTried(t *testing.T) {
	w := newWorld(t, Options{})
	w.wants(web, nil, www, "*.example.com")
	tried := func(want bool) {
		t.Helper()
		if got := w.entry().Tried; got != want {
			t.Errorf("Tried %t, want %t", got, want)
		}
	}
	tried(false)
	w.answer(upstream, 0, "192.0.2.1")
	tried(false)
	w.notified = nil
	w.fails(second, IPv6, "SERVFAIL")
	tried(true)
	w.expectNotified(web)
	w.Retire("", second, w.now)
	tried(true)
	if e := w.Snapshot(web, w.now).Patterns[1]; e.Tried {
		t.Error("a wildcard was tried")
	}
}
