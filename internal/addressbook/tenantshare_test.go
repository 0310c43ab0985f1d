// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

const week = 7 * 24 * time.Hour

// recordV4 records an answer with n addresses from first on.
func (w *world) recordV4(name string, ttl time.Duration, first, n int) {
	w.Record(Key{Name: host(name), Source: upstream}, Answer{Addrs: v4(first, n), TTL: ttl}, w.now)
}

func (w *world) expectCharge(o Owner, want int) {
	w.t.Helper()
	if got := w.tenants[o.Tenant()].addresses.Load(); got != int64(want) {
		w.t.Errorf("tenant %s is charged for %d addresses, want %d", o.Namespace, got, want)
	}
}

// What a tenant keeps for a week of names that another lists too is charged to it alone.
func TestTenant_IsNotChargedForWhatOthersRetain(t *testing.T) {
	w := newWorld(t, Options{MaxAddressesPerTenant: 20, MaxAddressesPerName: 10, Families: []Family{IPv4}})
	w.Forget(web)
	quiet, noisy := in("quiet", "p"), in("noisy", "p")
	w.wants(quiet, new(5*time.Second), "s1.example.com", "s2.example.com")
	w.wants(noisy, new(week), "s1.example.com", "s2.example.com")
	for i := range 30 {
		w.pass(10 * time.Second)
		w.recordV4("s1.example.com", time.Second, i, 1)
		w.recordV4("s2.example.com", time.Second, 100+i, 1)
		for _, e := range w.Snapshot(quiet, w.now).Patterns {
			if a := e.Addresses[len(e.Addresses)-1]; !a.Current || e.Limit != NoLimit {
				t.Fatalf("answer %d: %s is not followed: %v, limit %d", i, e.Pattern, e.Addresses, e.Limit)
			}
		}
	}
	w.wants(quiet, new(5*time.Second), "s1.example.com", "s2.example.com", "mine.example.com")
	w.pass(time.Second)
	w.recordV4("mine.example.com", time.Second, 200, 2)
	if e := w.Snapshot(quiet, w.now).Patterns[2]; len(e.Addresses) != 2 || e.Limit != NoLimit {
		t.Errorf("quiet's own name has %v, limit %d", e.Addresses, e.Limit)
	}
	w.expectCharge(noisy, 20)
}

// The charge follows the terms of a tenant's owners, and goes down as time passes.
func TestTenant_IsChargedForItsLongestTerm(t *testing.T) {
	w := newWorld(t, Options{Families: []Family{IPv4}})
	short, long := in("a", "short"), in("a", "long")
	w.wants(short, new(time.Second), www)
	w.wants(in("b", "p"), new(week), www)
	w.recordV4(www, time.Second, 0, 3)
	w.pass(time.Second)
	w.recordV4(www, time.Second, 3, 1)
	w.expectCharge(short, 4)
	w.wants(long, new(time.Hour), www)
	w.pass(2 * time.Minute)
	w.recordV4(www, time.Second, 3, 1)
	w.expectCharge(short, 4) // an hour
	w.expectCharge(web, 4)   // 5 minutes
	w.Forget(long)
	w.expectCharge(short, 1)
	w.wants(in("a", "middle"), nil, www)
	w.expectCharge(short, 4)
	w.pass(time.Hour)
	w.recordV4(www, time.Second, 3, 1)
	w.expectCharge(short, 1)
	w.expectCharge(web, 1)
	w.expectCharge(in("b", "p"), 4)
}

// Of a full tenant the addresses that are only retained make room for those that are answered, those of the longest retention
// first; what other sources answer does not.
func TestTenant_FullFollowsWhatIsAnswered(t *testing.T) {
	w := newWorld(t, Options{MaxAddressesPerTenant: 4, Families: []Family{IPv4}})
	w.wants(in("b", "p"), new(week), www)
	w.answer(upstream, time.Second, "192.0.2.1")
	w.pass(time.Second)
	w.answer(upstream, time.Minute, "192.0.2.2", "192.0.2.3")
	w.pass(10 * time.Minute)
	w.answer(upstream, time.Minute, "192.0.2.3", "192.0.2.4")
	w.expect("192.0.2.2 5m0s", "192.0.2.3", "192.0.2.4")
	w.answer(upstream, time.Minute, "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6")
	w.expect("192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6")
	w.answer(second, time.Minute, "192.0.2.7")
	w.expect("192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6")
	w.expectLimits(web, AddressesPerTenant)
	w.expectCharge(web, 4)
	w.answer(upstream, time.Minute, "192.0.2.8", "192.0.2.9") // it has moved altogether
	w.expect("192.0.2.3 6m0s", "192.0.2.4 6m0s", "192.0.2.8", "192.0.2.9")
}

// Names that are ever new take a quarter of what the process can remember of rotations, at the most; the pool of another tenant
// is remembered as if it were alone, and the counts say who is at its limit.
func TestTenant_CapturesAreShared(t *testing.T) {
	const rounds = 300
	run := func(noise bool) (PatternState, *world) {
		w := newWorld(t, Options{MaxAddresses: 250, MaxAddressesPerTenant: 60, MaxAddressesPerName: 50, Families: []Family{IPv4},
			Retention: 20 * time.Second, MaxRetention: time.Hour})
		w.Forget(web)
		quiet, noisy := in("quiet", "p"), in("noisy", "p")
		var names []string
		for i := range 20 {
			names = append(names, fmt.Sprintf("n%d.example.com", i))
		}
		if noise {
			w.wants(noisy, new(time.Second), names...)
		}
		next := 100
		for i := range 40 + rounds {
			w.pass(5 * time.Second)
			for _, n := range names {
				w.recordV4(n, time.Second, next%60_000, 1)
				next++
			}
			if i == 40 {
				w.wants(quiet, nil, "pool.example.com")
			}
			w.recordV4("pool.example.com", time.Second, i*7%23, 1)
		}
		return w.Snapshot(quiet, w.now).Patterns[0], w
	}
	alone, _ := run(false)
	beside, w := run(true)
	if len(alone.Addresses) != 23 || len(beside.Addresses) != 23 || alone.Rotation != beside.Rotation || alone.Retention != beside.Retention {
		t.Errorf("alone %d addresses, %+v, %v; beside another tenant %d, %+v, %v",
			len(alone.Addresses), alone.Rotation, alone.Retention, len(beside.Addresses), beside.Rotation, beside.Retention)
	}
	captures := w.tenants["noisy"].captures.Load()
	if got := w.Stats(); captures > 65 || got.Limited[CapturesPerTenant] != 1 || got.Captures != int(captures)+23 {
		t.Errorf("noisy has %d captures; stats %+v", captures, got)
	}
	w.Forget(in("noisy", "p"))
	if got := w.Stats(); got.Limited[CapturesPerTenant] != 0 || got.Captures != 23 {
		t.Errorf("stats %+v", got)
	}
}

// A pool of a tenant that has no captures left says so.
func TestTenant_WithoutCapturesIsTold(t *testing.T) {
	w := newWorld(t, Options{MaxAddresses: 100, MaxAddressesPerName: 50, Families: []Family{IPv4}, Retention: 10 * time.Minute})
	for i := range 200 {
		size := 20
		if i >= 100 {
			size = 45
		}
		w.recordV4(www, time.Second, (i*7+i/3)%size, 1)
		w.pass(5 * time.Second)
	}
	if e := w.entry(); e.Rotation.Uncovered != Forgotten || w.tenants["shop"].captures.Load() != 25 {
		t.Errorf("%+v, %d captures", e.Rotation, w.tenants["shop"].captures.Load())
	}
}

// expectCurrent looks for addresses among those that the last answer held.
func expectCurrent(t *testing.T, known []Address, want []netip.Addr) {
	t.Helper()
	current := map[netip.Addr]bool{}
	for _, a := range known {
		current[a.Addr] = a.Current
	}
	for _, a := range want {
		if !current[a] {
			t.Fatalf("%s is not current", a)
		}
	}
}

// A name of so many addresses that what is known of it is kept from one answer to the next rotates in a tenant that is full: each answer is
// followed.
func TestMaxAddressesPerTenant_OfABigName(t *testing.T) {
	w := newWorld(t, Options{Families: []Family{IPv4}, MaxAddressesPerTenant: 200})
	if 200 < w.cachedUnion {
		t.Fatalf("names of %d addresses are not kept", w.cachedUnion)
	}
	for round := range 10 {
		w.recordV4(www, time.Second, 50*round, 200)
		expectCurrent(t, w.entry().Addresses, v4(50*round, 200))
		w.expectCharge(web, 200)
		w.pass(time.Second)
	}
}

// The same for a wildcard's pool.
func TestMaxAddressesPerTenant_OfABigPool(t *testing.T) {
	w := newWorld(t, Options{Families: []Family{IPv4}, MaxAddressesPerTenant: 200})
	o := in("shop", "pool")
	w.Forget(web)
	w.wants(o, new(time.Duration(0)), "*.example.com")
	for round := range 10 {
		w.Observe(host("a.example.com"), IPv4, v4(50*round, 200), time.Second, w.now)
		expectCurrent(t, w.Snapshot(o, w.now).Patterns[0].Addresses, v4(50*round, 200))
		w.expectCharge(o, 200)
		w.pass(time.Second)
	}
}
