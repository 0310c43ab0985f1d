// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

// Edge 1: one address of a pool of six in each answer, TTL 5 s. Retention keeps all that was seen.
func TestEdge1_RoundRobinPoolLargerThanOneAnswer(t *testing.T) {
	w := newWorld(t, Options{})
	for i := range 60 {
		w.answer(upstream, 5*time.Second, fmt.Sprintf("192.0.2.%d", 1+i%6))
		w.pass(5 * time.Second)
	}
	// Each was answered at most 25 s before the last answer, and expired when the next came.
	w.expect("192.0.2.1 4m35s", "192.0.2.2 4m40s", "192.0.2.3 4m45s", "192.0.2.4 4m50s", "192.0.2.5 4m55s", "192.0.2.6")
}

func TestEdge2_TTLZero(t *testing.T) {
	w := newWorld(t, Options{})
	w.answer(upstream, 0, "192.0.2.1")
	w.pass(time.Hour) // nobody asked in between: that is no reason to drop it
	w.expect("192.0.2.1")
	w.answer(upstream, 0, "192.0.2.2")
	w.expect("192.0.2.1 5m0s", "192.0.2.2")
}

func TestEdge3_HugeTTL(t *testing.T) {
	const huge = math.MaxUint32 * time.Second // 136 years
	w := newWorld(t, Options{})
	w.answer(upstream, huge, "192.0.2.1")
	w.absent(upstream, IPv6, NoData)
	w.expect("192.0.2.1")
	const said = "an answer has a TTL of more than 24h0m0s, and counts for that time only"
	w.expectState(Resolved, said)
	w.pass(24 * time.Hour)
	w.notified = nil
	w.answer(upstream, huge-24*time.Hour, "192.0.2.1") // a cache counts down
	w.expectNotified()
	w.expectState(Resolved, said)
	w.answer(upstream, time.Second, "192.0.2.2")
	w.expect("192.0.2.1 24h5m0s", "192.0.2.2")
	w.expectState(Resolved, said)
	w.pass(time.Minute)
	w.answer(upstream, huge, "192.0.2.2") // one of several caches
	w.answer(upstream, time.Second, "192.0.2.2")
	w.expectNotified(web, web) // of the end, each time that it is in sight
	w.passTurn(10*time.Minute, Resolved, said)
	w.expectState(Resolved, "")
}

// The timeline of docs/concepts.md.
func TestOneAddressFromFirstToLast(t *testing.T) {
	w := newWorld(t, Options{Families: []Family{IPv4}})
	at := func(day, hour, minute, second int) {
		w.now = start.Add(time.Duration(((day*24+hour)*60+minute)*60+second) * time.Second)
	}
	at(0, 10, 0, 0)
	w.answer(upstream, 30*time.Second, "192.0.2.1")
	at(0, 10, 0, 30)
	w.answer(upstream, 30*time.Second, "192.0.2.2")
	w.expect("192.0.2.1 5m0s", "192.0.2.2")
	at(0, 12, 0, 0)
	w.answer(upstream, 30*time.Second, "192.0.2.2")
	w.expect("192.0.2.2")
	at(0, 12, 0, 30)
	w.fails(upstream, IPv4, "SERVFAIL")
	w.expect("192.0.2.2 current 24h0m0s")
	w.expectState(Stale, "SERVFAIL for A from 10.96.0.10:53, keeping 1 address")
	at(1, 12, 0, 30)
	w.expectState(Failing, "SERVFAIL for A from 10.96.0.10:53")
}

// The book's part of edge 5: another upstream, another moment, another address. See also Invariant3.
func TestEdge5_UpstreamsOfDifferentMindsAgeApart(t *testing.T) {
	w := newWorld(t, Options{})
	w.answer(upstream, time.Minute, "192.0.2.1")
	w.answer(second, time.Minute, "192.0.2.2")
	for range 100 {
		w.pass(time.Minute)
		w.answer(upstream, time.Minute, "192.0.2.1")
		w.answer(second, time.Minute, "192.0.2.2")
		w.expect("192.0.2.1", "192.0.2.2")
	}
}

func TestEdge6_OneOfSeveralReplicasBroken(t *testing.T) {
	w := newWorld(t, Options{})
	for _, s := range []Source{upstream, second} {
		w.answer(s, time.Minute, "192.0.2.1")
		w.absent(s, IPv6, NoData)
	}
	w.expectState(Resolved, "")
	w.pass(time.Minute)
	w.notified = nil
	w.fails(second, IPv4, "timeout")
	w.fails(second, IPv6, "timeout")
	w.expect("192.0.2.1")
	w.expectState(Resolved, "")
	w.expectNotified(web) // when to tell
	w.passTurn(time.Minute, Resolved, "")
	w.expectState(Resolved, "timeout from 10.96.0.11:53 while others answer")
}

func TestEdge6_ReplicasRollForMonthsWithoutALeakOrALoss(t *testing.T) {
	w := newWorld(t, Options{})
	for i := range 500 {
		s := Source(fmt.Sprintf("10.0.%d.%d:53", i/256, i%256))
		w.fails(s, IPv4, "timeout") // not ready yet
		w.answer(s, time.Minute, "192.0.2.1")
		w.absent(s, IPv6, NoData)
		w.pass(time.Hour)
		w.fails(s, IPv6, "timeout") // it goes down
		w.Retire("", s, w.now)
		if got := w.Stats(); got.Questions > 4 || got.Addresses != 1 {
			t.Fatalf("after %d rolls: %+v", i, got)
		}
	}
}

func TestEdge12_OneFamilyFails(t *testing.T) {
	w := newWorld(t, Options{})
	w.answer(upstream, time.Minute, "192.0.2.1")
	w.answer(upstream, time.Minute, "2001:db8::1")
	w.pass(time.Minute)
	w.answer(upstream, time.Minute, "192.0.2.2")
	w.fails(upstream, IPv6, "SERVFAIL")
	w.expect("192.0.2.1 5m0s", "192.0.2.2", "2001:db8::1 current 24h0m0s")
	w.expectState(Stale, "SERVFAIL for AAAA from 10.96.0.10:53, keeping 1 address")
}

func TestEdge12_OneFamilyFailsFromTheStart(t *testing.T) {
	w := newWorld(t, Options{})
	w.answer(upstream, time.Minute, "192.0.2.1")
	w.fails(upstream, IPv6, "SERVFAIL")
	w.expectState(Resolved, "SERVFAIL for AAAA from 10.96.0.10:53")
	if got := w.entry().Answered; !got.IsZero() {
		t.Errorf("Answered %v although AAAA was not", got)
	}
	w.absent(upstream, IPv4, NXDomain) // the other family has nothing either
	w.expectState(Failing, "SERVFAIL for AAAA from 10.96.0.10:53, keeping 1 address")
}

// The book's part of edge 17: a new process knows nothing, and says so in a way that tells it from knowing that there
// is nothing. Carried addresses are not the book's.
func TestEdge17_AnEmptyBookIsPendingNotEmpty(t *testing.T) {
	w := newWorld(t, Options{})
	w.expectState(Pending, "waiting for the first answer for A and AAAA")
	w.fails(upstream, IPv4, "timeout")
	w.expectState(Pending, "waiting for the first answer for AAAA; timeout for A from 10.96.0.10:53")
	w.absent(upstream, IPv4, NoData)
	if got := w.entry().Answered; !got.IsZero() {
		t.Errorf("Answered %v with one family only", got)
	}
	w.pass(time.Second)
	w.absent(upstream, IPv6, NoData)
	if got := w.entry().Answered; !got.Equal(w.now) {
		t.Errorf("Answered %v, want %v", got, w.now)
	}
	w.expectState(NotFound, "no A or AAAA records (NODATA) from 10.96.0.10:53"+otherHosts)
}

// The book's part of edge 36: what changes nothing for an owner wakes none.
func TestEdge36_OnlyChangesWakeOwners(t *testing.T) {
	w := newWorld(t, Options{})
	other := Owner{Kind: "FQDNEgressPolicy", Namespace: "shop", Name: "other"}
	w.wants(other, nil, "other.example.com")
	w.absent(upstream, IPv6, NoData) // the first answer of all is news for both
	w.notified = nil
	w.answer(upstream, time.Minute, "192.0.2.1", "192.0.2.2")
	w.expectNotified(web)
	w.answer(upstream, time.Hour, "192.0.2.2", "192.0.2.1") // order and TTL are no news
	w.expectNotified()
	w.answer(second, time.Minute, "192.0.2.1") // known from the other upstream
	w.expectNotified()
	w.Record(Key{Name: host("unwanted.example.com"), Source: upstream}, Answer{Addrs: v4(1, 1)}, w.now)
	w.expectNotified()
	w.answer(upstream, time.Minute, "192.0.2.1") // the second address has an Until now
	w.expectNotified(web)
}

func TestEdge37_NothingGrowsWithoutBound(t *testing.T) {
	w := newWorld(t, Options{MaxAddressesPerName: 50})
	k := Key{Name: host(www), Source: upstream}
	for i := range 1000 {
		w.Record(k, Answer{Addrs: v4(i*20, 20)}, w.now)
		w.Record(Key{Name: host(fmt.Sprintf("x%d.example.com", i)), Source: upstream}, Answer{Addrs: v4(i, 1)}, w.now)
		w.wants(web, nil, www, fmt.Sprintf("y%d.example.com", i))
		w.pass(time.Second)
	}
	got := w.Stats()
	if got.Captures > 50 {
		t.Errorf("%d captures", got.Captures)
	}
	got.Evicted, got.Captures = 0, 0
	if want := (Stats{Owners: 1, Patterns: 2, Names: 2, Questions: 1, Addresses: 50}); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
	w.Forget(web)
	got = w.Stats()
	got.Evicted = 0
	if want := (Stats{}); got != want {
		t.Errorf("stats %+v after Forget", got)
	}
}

func TestEdge38_OddTimesAndTTLs(t *testing.T) {
	ttls := []time.Duration{math.MinInt64, -time.Second, 0, math.MaxUint32 * time.Second, math.MaxInt64}
	steps := []time.Duration{-time.Hour, 0, time.Nanosecond, 100 * 365 * 24 * time.Hour}
	for _, retention := range []time.Duration{math.MinInt64, 0, math.MaxInt64} {
		w := newWorld(t, Options{MaxStale: math.MaxInt64})
		w.wants(web, &retention, www)
		for i, ttl := range ttls {
			for j, step := range steps {
				w.pass(step)
				w.answer(upstream, ttl, fmt.Sprintf("192.0.2.%d", i), fmt.Sprintf("192.0.2.%d", 100+j))
				w.fails(second, IPv4, "timeout")
				current := 0
				for _, a := range w.entry().Addresses {
					if a.Current {
						current++
					}
				}
				if current != 2 {
					t.Fatalf("retention %v, TTL %v, step %v: %d current addresses, want 2", retention, ttl, step, current)
				}
			}
		}
	}
}

func TestEdge38_TheClockGoesBackALittle(t *testing.T) {
	w := newWorld(t, Options{})
	w.pass(time.Minute)
	w.answer(upstream, 0, "192.0.2.1")
	w.pass(-time.Second)
	w.answer(upstream, 0, "192.0.2.2")
	w.expect("192.0.2.1 5m1s", "192.0.2.2") // from its expiry, which is later
}

func TestEdge38_AStepOfTheWallClockAgesNothing(t *testing.T) {
	b := New(Options{})
	now := time.Now() // with a monotonic reading, which a wall clock step does not touch
	w := &world{Book: b, t: t, now: now}
	w.wants(web, nil, www)
	w.answer(upstream, 0, "192.0.2.1")
	w.answer(upstream, 0, "192.0.2.2")
	until := w.entry().Addresses[0].Until
	if got := until.Sub(now); got != 5*time.Minute {
		t.Errorf("Until is %v away", got)
	}
	if !strings.Contains(until.String(), " m=") {
		t.Error("Until has lost its monotonic reading")
	}
}

func TestEdge39_RetainedAddressesGoWithTheName(t *testing.T) {
	w := newWorld(t, Options{})
	w.answer(upstream, time.Minute, "192.0.2.1")
	w.answer(upstream, time.Minute, "192.0.2.2")
	w.expect("192.0.2.1 6m0s", "192.0.2.2")
	w.wants(web, nil, "*.example.com") // matches it, but no wildcard learns names yet
	if got := w.entry(); len(got.Addresses) != 0 {
		t.Errorf("addresses %v", got.Addresses)
	}
	w.wants(web, nil, www)
	w.expect()
}
