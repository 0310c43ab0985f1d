// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// expectLimits compares the Limit of each entry of an owner.
func (w *world) expectLimits(o Owner, want ...Limit) {
	w.t.Helper()
	var got []Limit
	for _, e := range w.Snapshot(o, w.now).Patterns {
		got = append(got, e.Limit)
	}
	if d := cmp.Diff(want, got); d != "" {
		w.t.Errorf("limits of %s (-want +got):\n%s", o.Name, d)
	}
}

func in(namespace, name string) Owner { return Owner{Kind: "K", Namespace: namespace, Name: name} }

func TestTenant_OfAnOwner(t *testing.T) {
	if in("shop", "a").Tenant() != in("shop", "b").Tenant() || in("shop", "a").Tenant() == in("apps", "a").Tenant() {
		t.Error("a tenant is a namespace")
	}
	if got := (Owner{Kind: "ClusterFQDNEgressPolicy", Name: "x"}).Tenant(); got != "" {
		t.Errorf("cluster-wide policies are of %q", got)
	}
}

// Names beyond the limit wait; those that were there stay; a name that the namespace lists already is no further one.
func TestMaxNamesPerTenant(t *testing.T) {
	w := newWorld(t, Options{MaxNamesPerTenant: 3})
	f := w.newFollower()
	w.wants(in("shop", "a"), nil, "a.example.com", "*.example.com", "b.example.com", www)
	w.expectLimits(in("shop", "a"), NoLimit, NoLimit, NamesPerTenant, NoLimit)
	e := w.Snapshot(in("shop", "a"), w.now).Patterns[2]
	if e.State != Pending || e.Tried || !strings.Contains(e.Message, "--max-names-per-namespace") || !strings.Contains(e.Message, "shop") {
		t.Errorf("a name that waits is %s: %s", e.State, e.Message)
	}
	w.wants(in("apps", "b"), nil, "b.example.com") // of another tenant
	w.expectLimits(in("apps", "b"), NoLimit)
	w.expectLimits(in("shop", "a"), NoLimit, NoLimit, NamesPerTenant, NoLimit)
	if got := w.Stats(); got.Limited[NamesPerTenant] != 1 || got.Names != 3 || got.Wildcards != 1 {
		t.Errorf("stats %+v", got)
	}
	f.follow()
	w.notified = nil
	w.wants(in("shop", "a"), nil, "*.example.com", "b.example.com", www) // no need for anybody to go: there is room
	w.expectLimits(in("shop", "a"), NoLimit, NoLimit, NoLimit)
	w.wants(in("shop", "c"), nil, "c.example.com", "d.example.com")
	w.expectLimits(in("shop", "c"), NamesPerTenant, NamesPerTenant)
	w.notified = nil
	w.wants(in("shop", "a"), nil, "b.example.com", www)
	w.expectLimits(in("shop", "c"), NoLimit, NamesPerTenant)
	w.expectNotified(in("shop", "c"))
	w.Forget(in("shop", "a"))
	w.expectLimits(in("shop", "c"), NoLimit, NoLimit)
	if got := w.Stats(); got.Limited[NamesPerTenant] != 0 {
		t.Errorf("stats %+v", got)
	}
	w.wants(in("shop", "c"), new(time.Hour), "c.example.com", "d.example.com") // joins by another term before it leaves
	w.expectLimits(in("shop", "c"), NoLimit, NoLimit)
}

func TestMaxNames_TenantsByTurns(t *testing.T) {
	w := newWorld(t, Options{MaxNames: 3})
	a, b := in("a", "p"), in("b", "p")
	w.wants(a, nil, "a1.example.com", "a2.example.com", "a3.example.com", "a4.example.com")
	w.wants(b, nil, "b1.example.com", www)
	w.expectLimits(a, NoLimit, NoLimit, NamesOfProcess, NamesOfProcess)
	w.expectLimits(b, NamesOfProcess, NoLimit) // another one's name is known anyway
	if e := w.Snapshot(b, w.now).Patterns[0]; !strings.HasPrefix(e.Message, "not looked up") {
		t.Errorf("message %q", e.Message)
	}
	w.notified = nil
	w.wants(a, nil, "a2.example.com", "a3.example.com", "a4.example.com")
	w.expectLimits(a, NoLimit, NoLimit, NamesOfProcess)
	w.expectNotified(a)
	w.wants(a, nil, "a3.example.com", "a4.example.com")
	w.expectLimits(b, NoLimit, NoLimit)
	w.expectLimits(a, NoLimit, NamesOfProcess)
}

// A tenant that has its addresses gets no new ones, keeps those that it has, and is told; the others are not concerned.
func TestMaxAddressesPerTenant(t *testing.T) {
	w := newWorld(t, Options{MaxAddressesPerTenant: 4, Families: []Family{IPv4}})
	full, shared := in("full", "p"), "shared.example.com"
	w.wants(full, nil, "big.example.com", "own.example.com", shared)
	w.wants(web, nil, www, shared)
	record := func(name string, first, n int) {
		w.Record(Key{Name: host(name), Source: upstream}, Answer{Addrs: v4(first, n), TTL: time.Minute}, w.now)
	}
	record("big.example.com", 0, 6)
	record("own.example.com", 100, 2)
	w.expectLimits(full, AddressesPerTenant, AddressesPerTenant, NoLimit)
	if got := len(w.Snapshot(full, w.now).Patterns[0].Addresses); got != 4 {
		t.Errorf("%d addresses", got)
	}
	record(shared, 200, 2) // the other tenant has room, so it takes them; whoever lists it has them
	w.expectLimits(web, NoLimit, NoLimit)
	w.expectLimits(full, AddressesPerTenant, AddressesPerTenant, NoLimit)
	if got := len(w.Snapshot(full, w.now).Patterns[2].Addresses); got != 2 {
		t.Errorf("%d addresses of the shared name", got)
	}
	if got := w.Stats().Limited[AddressesPerTenant]; got != 1 {
		t.Errorf("%d tenants are limited", got)
	}
	w.pass(time.Minute)
	record("big.example.com", 0, 1) // it needs fewer, and when the others have gone there is room
	w.pass(10 * time.Minute)
	record("big.example.com", 1, 1)
	record("own.example.com", 100, 1)
	w.expectLimits(full, NoLimit, AddressesPerTenant, NoLimit) // two of big, one of them retained, and two that are shared
	if got := w.Stats().Limited[AddressesPerTenant]; got != 1 {
		t.Errorf("%d tenants have no room", got)
	}
}

func TestMaxAddresses_OfTheProcess(t *testing.T) {
	w := newWorld(t, Options{MaxAddresses: 3, Families: []Family{IPv4}})
	w.wants(web, nil, www, wild)
	w.answer(upstream, time.Minute, "192.0.2.1", "192.0.2.2")
	w.overhearsOf("api.example.com", time.Minute, "192.0.2.3", "192.0.2.4")
	w.expectLimits(web, NoLimit, AddressesOfProcess)
	w.expectPool(web, wild, "192.0.2.3 6m0s")
	w.answer(upstream, time.Minute, "192.0.2.2", "192.0.2.7")
	w.expect("192.0.2.2", "192.0.2.7") // what is answered now goes before what was
	w.expectLimits(web, AddressesOfProcess, AddressesOfProcess)
	if got := w.Stats(); got.Addresses != 3 || got.Limited[AddressesOfProcess] != 1 {
		t.Errorf("stats %+v", got)
	}
}

// D10 of the review: a retention of a week fills a name that others list too. It is its business alone.
func TestLimit_IsToldToWhoLosesSomethingByIt(t *testing.T) {
	w := newWorld(t, Options{MaxAddressesPerName: 10, MaxRetention: 5 * time.Minute, Families: []Family{IPv4}})
	week := in("week", "p")
	w.wants(week, new(7*24*time.Hour), www)
	k := Key{Name: host(www), Source: upstream}
	for i := range 40 {
		w.Record(k, Answer{Addrs: v4(i, 1), TTL: time.Minute}, w.now)
		w.pass(10 * time.Minute)
		if got := w.entry().Limit; got != NoLimit {
			t.Fatalf("answer %d: who keeps addresses for 5m is told of limit %d", i, got)
		}
		if got := w.Snapshot(week, w.now).Patterns[0].Limit; (got == AddressesPerName) != (i >= 10) {
			t.Fatalf("answer %d: who keeps addresses for a week is told of limit %d", i, got)
		}
	}
}

// An owner that goes takes along what it has of a limit, whatever it did before.
func TestTenant_LeavesNothingBehind(t *testing.T) {
	w := newWorld(t, Options{MaxNamesPerTenant: 2, MaxAddressesPerTenant: 3})
	for i := range 50 {
		o := in(fmt.Sprint("ns", i%3), fmt.Sprint("p", i%5))
		w.wants(o, []*time.Duration{nil, new(time.Hour)}[i%2], www, fmt.Sprintf("x%d.example.com", i%7), "*.example.com")
		w.answer(upstream, time.Minute, fmt.Sprintf("192.0.2.%d", i))
		w.overhears(time.Minute, fmt.Sprintf("192.0.2.%d", 100+i))
		w.pass(time.Minute)
		if i%4 == 0 {
			w.Forget(o)
		}
	}
	for i := range 50 {
		w.Forget(in(fmt.Sprint("ns", i%3), fmt.Sprint("p", i%5)))
	}
	w.Forget(web)
	got := w.Stats()
	got.Evicted = 0
	if d := cmp.Diff(Stats{}, got); d != "" {
		t.Errorf("stats (-want +got):\n%s", d)
	}
	if len(w.tenants) > 0 || len(w.waiting) > 0 || len(w.views) != 1 {
		t.Errorf("%d tenants, %d waiting, %d views are left", len(w.tenants), len(w.waiting), len(w.views))
	}
}

// Tenants that have a lot do not keep a small one from its names and addresses: the last fifth is not theirs.
func TestLimitsOfTheProcess_LeaveRoomForSmallTenants(t *testing.T) {
	w := newWorld(t, Options{MaxNames: 50, MaxAddresses: 100, Families: []Family{IPv4}})
	var names []string
	for i := range 60 {
		names = append(names, fmt.Sprintf("x%d.example.com", i))
	}
	big := in("big", "p")
	w.wants(big, nil, names...)
	waits := 0
	for i, e := range w.Snapshot(big, w.now).Patterns {
		if e.Limit == NamesOfProcess {
			waits++
		}
		w.Record(Key{Name: host(names[i]), Source: upstream}, Answer{Addrs: v4(10*i, 10), TTL: time.Minute}, w.now)
	}
	if got := w.Stats(); waits != 60-39 || got.Addresses != 80 { // and www, which web lists
		t.Errorf("%d names wait, stats %+v", waits, got)
	}
	w.answer(upstream, time.Minute, "192.0.2.1", "192.0.2.2")
	w.expect("192.0.2.1", "192.0.2.2")
	w.wants(web, nil, www, "new.example.com")
	w.expectLimits(web, NoLimit, NoLimit)
	w.answer(upstream, time.Minute, "192.0.2.3")
	w.expect("192.0.2.1 6m0s", "192.0.2.2 6m0s", "192.0.2.3")
}

// What docs/performance.md measures comes to no limit: 50,000 names of 10,000 policies in 100 namespaces.
func TestLimitsOfTheProcess_HoldTenThousandPolicies(t *testing.T) {
	b := New(Options{})
	ps, _ := manyNames(50_000)
	for i := range 10_000 {
		b.Want(in(fmt.Sprint("ns", i%100), fmt.Sprint(i)), Wants{Patterns: ps[i*5 : i*5+5]}, start)
	}
	if got := b.Stats(); got.Names != 50_000 || got.Limited != (Stats{}).Limited {
		t.Errorf("%d names are known; tenants that wait: %v", got.Names, got.Limited)
	}
}
