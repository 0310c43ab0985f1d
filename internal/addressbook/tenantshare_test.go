// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
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
		for _, e := range w.Snapshot(quiet, w.now).Entries {
			if a := e.Addresses[len(e.Addresses)-1]; !a.Current || e.Limit != NoLimit {
				t.Fatalf("answer %d: %s is not followed: %v, limit %d", i, e.Pattern, e.Addresses, e.Limit)
			}
		}
	}
	w.wants(quiet, new(5*time.Second), "s1.example.com", "s2.example.com", "mine.example.com")
	w.pass(time.Second)
	w.recordV4("mine.example.com", time.Second, 200, 2)
	if e := w.Snapshot(quiet, w.now).Entries[2]; len(e.Addresses) != 2 || e.Limit != NoLimit {
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
