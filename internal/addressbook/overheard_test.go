// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const wild = "*.example.com"

// overhears is an answer for www.example.com that a pod was told.
func (w *world) overhears(ttl time.Duration, addrs ...string) Ticket {
	return w.overhearsOf(www, ttl, addrs...)
}

func (w *world) overhearsOf(name string, ttl time.Duration, addrs ...string) Ticket {
	as := make([]netip.Addr, len(addrs))
	for i, a := range addrs {
		as[i] = netip.MustParseAddr(a)
	}
	return w.Observe(host(name), familyOf(as[0]), as, ttl, w.now)
}

// expectPool compares the addresses of an owner's pattern, each with the time that is left: "192.0.2.1 6m0s".
func (w *world) expectPool(o Owner, pattern string, want ...string) {
	w.t.Helper()
	got := []string{}
	for _, e := range w.Snapshot(o, w.now).Patterns {
		for _, a := range e.Addresses {
			if e.Pattern.String() == pattern {
				got = append(got, fmt.Sprint(a.Addr, " ", a.Until.Sub(w.now)))
			}
		}
	}
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		w.t.Errorf("%s of %s (-want +got):\n%s", pattern, o.Name, d)
	}
}

func TestObserve_AddsToWhateverMatches(t *testing.T) {
	w := newWorld(t, Options{})
	w.wants(web, nil, www, wild)
	w.withTenant() // lists the name in a view of its own
	other := Owner{Namespace: "apps", Name: "other"}
	w.wants(other, new(time.Hour), wild, "example.com")
	w.overhears(time.Minute, "192.0.2.1")
	w.overhearsOf("api.example.com", 2*time.Minute, "192.0.2.2")
	w.overhearsOf("example.com", time.Minute, "192.0.2.3")
	w.overhearsOf("example.org", time.Minute, "192.0.2.4")
	w.expectPool(web, www, "192.0.2.1 6m0s")
	w.expectPool(web, wild, "192.0.2.1 6m0s", "192.0.2.2 7m0s")
	w.expectPool(other, wild, "192.0.2.1 1h1m0s", "192.0.2.2 1h2m0s")
	w.expectPool(other, "example.com", "192.0.2.3 1h1m0s")
	w.expectPool(lone, www) // its own server never said so

	w.wants(web, nil, wild) // to drop one leaves the others'
	w.expectPool(web, wild, "192.0.2.1 6m0s", "192.0.2.2 7m0s")
	w.Forget(web)
	w.expectPool(other, wild, "192.0.2.1 1h1m0s", "192.0.2.2 1h2m0s")
	w.Forget(other)
	if got := w.Stats(); got.Addresses != 0 || got.Wildcards != 0 || w.Listens(host(www)) {
		t.Errorf("stats %+v", got)
	}
}

func TestObserve_ExpiriesOnlyGrow(t *testing.T) {
	w := newWorld(t, Options{MaxStale: time.Hour})
	w.wants(web, nil, wild)
	w.overhears(10*time.Minute, "192.0.2.1")
	w.notified = nil
	w.pass(time.Minute)
	w.overhears(time.Minute, "192.0.2.1") // a cache that has it for shorter
	w.expectPool(web, wild, "192.0.2.1 14m0s")
	w.overhears(48*time.Hour, "192.0.2.1") // counts as MaxStale
	w.expectPool(web, wild, "192.0.2.1 1h5m0s")
	w.expectNotified() // an Until that moves
	w.pass(time.Hour)
	if a := w.entry().Addresses[0]; a.Current {
		t.Error("current after its TTL")
	}
	w.pass(5*time.Minute + ListedAfterUntil)
	w.expectPool(web, wild)
}

func TestObserve_MakesNoStateOfAnExactName(t *testing.T) {
	w := newWorld(t, Options{})
	w.overhears(time.Minute, "192.0.2.9")
	w.expectState(Pending, "waiting for the first answer for A and AAAA")
	if e := w.entry(); e.Tried || !e.Answered.IsZero() {
		t.Errorf("tried %t, answered %v", e.Tried, e.Answered)
	}
	w.absent(upstream, IPv4, NXDomain)
	w.absent(upstream, IPv6, NXDomain)
	w.expectState(NotFound, "NXDOMAIN from 10.96.0.10:53")
	w.fails(upstream, IPv4, "timeout")
	w.expectState(Failing, "timeout for A from 10.96.0.10:53")
	w.expectPool(web, www, "192.0.2.9 6m0s")
	if d := cmp.Diff([]Source{Overheard}, w.Holders(Subject{Name: host(www)}, netip.MustParseAddr("192.0.2.9"))); d != "" {
		t.Errorf("holders (-want +got):\n%s", d)
	}
}

func TestObserve_MakesTheStateOfAWildcard(t *testing.T) {
	w := newWorld(t, Options{})
	w.wants(web, nil, wild)
	w.expectState(Pending, unobserved)
	w.notified = nil
	w.overhears(time.Minute, "192.0.2.1")
	w.expectState(Resolved, "")
	w.expectNotified(web)
	w.passTurn(time.Minute, Resolved, "") // no longer current
	w.passTurn(5*time.Minute, Resolved, "")
	w.expectState(Pending, unobserved)
	if e := w.entry(); e.Tried || !e.Answered.IsZero() {
		t.Errorf("tried %t, answered %v", e.Tried, e.Answered)
	}
}

// What an asked source holds and what was overheard do not shorten each other.
func TestObserve_BesideAskedAnswers(t *testing.T) {
	w := newWorld(t, Options{})
	w.answer(upstream, time.Second, "192.0.2.1", "192.0.2.2")
	w.overhears(time.Hour, "192.0.2.1")
	w.expect("192.0.2.1", "192.0.2.2")
	w.answer(upstream, time.Second, "192.0.2.3")
	w.expect("192.0.2.1 current 1h5m0s", "192.0.2.2 5m1s", "192.0.2.3") // overheard, it is not past its TTL
	w.overhears(0, "192.0.2.2")
	w.expect("192.0.2.1 current 1h5m0s", "192.0.2.2 5m1s", "192.0.2.3")
}

func TestObserve_LeavesOutWhatDoesNotCount(t *testing.T) {
	w := newWorld(t, Options{Families: []Family{IPv4}})
	w.notified = nil
	for name, ticket := range map[string]Ticket{
		"another family":    w.overhears(time.Minute, "2001:db8::1"),
		"nothing":           w.Observe(host(www), IPv4, nil, time.Minute, w.now),
		"the wrong family":  w.Observe(host(www), IPv4, []netip.Addr{netip.MustParseAddr("2001:db8::1"), {}}, time.Minute, w.now),
		"a name not wanted": w.overhearsOf("www.example.org", time.Minute, "192.0.2.1"),
	} {
		if ticket.Owners() > 0 {
			t.Errorf("%s: %d owners", name, ticket.Owners())
		}
	}
	w.expect()
	w.expectNotified()
}

func TestObserve_AFullPoolRefusesNewcomers(t *testing.T) {
	w := newWorld(t, Options{MaxAddressesPerName: 2})
	w.wants(web, nil, wild)
	w.overhears(2*time.Minute, "192.0.2.1")
	w.overhears(5*time.Minute, "192.0.2.2")
	if got := w.entry().Limit; got != NoLimit {
		t.Errorf("limit %d", got)
	}
	w.pass(time.Minute)
	w.overhears(5*time.Minute, "192.0.2.1")
	w.pass(3 * time.Minute)
	w.notified = nil
	w.overhears(5*time.Minute, "192.0.2.3") // both are within their TTL
	w.expectPool(web, wild, "192.0.2.1 7m0s", "192.0.2.2 6m0s")
	w.expectNotified(web)
	if got := w.entry().Limit; got != AddressesPerName {
		t.Errorf("limit %d", got)
	}
	w.pass(time.Minute)
	w.overhears(5*time.Minute, "192.0.2.3") // one is not
	w.expectPool(web, wild, "192.0.2.1 6m0s", "192.0.2.3 10m0s")
}

// What is overheard pushes out nothing that an asked source holds, and is not pushed out within its TTL.
func TestObserve_AndAskedAnswersShareTheLimit(t *testing.T) {
	w := newWorld(t, Options{MaxAddressesPerName: 3})
	w.answer(upstream, time.Minute, "192.0.2.1")
	w.overhears(time.Minute, "192.0.2.7", "192.0.2.8", "192.0.2.9")
	w.expect("192.0.2.1", "192.0.2.7 current 6m0s", "192.0.2.8 current 6m0s")
	w.pass(time.Second)
	w.answer(upstream, time.Minute, "192.0.2.2", "192.0.2.3")
	w.expect("192.0.2.2", "192.0.2.7 current 5m59s", "192.0.2.8 current 5m59s")
	w.pass(time.Minute)
	w.answer(upstream, time.Minute, "192.0.2.2", "192.0.2.3", "192.0.2.4")
	w.expect("192.0.2.2", "192.0.2.3", "192.0.2.4")
}

func TestListens(t *testing.T) {
	w := newWorld(t, Options{})
	w.withTenant()
	w.wants(Owner{Name: "other"}, nil, "*.example.net")
	for name, want := range map[string]bool{
		www: true, "api.example.com": false, "a.b.example.net": true, "example.net": false,
	} {
		if got := w.Listens(host(name)); got != want {
			t.Errorf("%s: %t", name, got)
		}
	}
	w.Forget(web) // the tenant lists it in a view of its own
	if w.Listens(host(www)) {
		t.Errorf("nobody wants %s in the zero View", www)
	}
	if strings.Contains(unobserved, "LRU") {
		t.Error("the message speaks of an implementation")
	}
}

// BenchmarkObserve is of a name that nobody wants, of one that is known, and of one that gains an address each time.
func BenchmarkObserve(b *testing.B) {
	book := New(Options{})
	ps, names := manyNames(10_000)
	book.OnChange(func(Owner, Urgency) {})
	for i := range 1000 {
		book.Want(Owner{"K", fmt.Sprint("ns", i), "p"}, Wants{Patterns: append(ps[i*10:i*10+10:i*10+10], pattern("*.example.net"))}, start)
	}
	for kind, name := range map[string]string{"unwanted": "www.example.org", "known": names[5].String(), "pool of 1000 owners": "www.example.net"} {
		n := host(name)
		book.Observe(n, IPv4, v4(0, 2), time.Minute, start)
		for i := range 1000 {
			o := Owner{"K", fmt.Sprint("ns", i), "p"}
			book.Applied(o, book.Snapshot(o, start).Revision)
		}
		b.Run(kind, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				book.Observe(n, IPv4, v4(0, 2), time.Minute, start)
			}
		})
	}
}
