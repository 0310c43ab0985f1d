// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

func TestOptions_OneFamily(t *testing.T) {
	w := newWorld(t, Options{Families: []Family{IPv4}})
	w.answer(upstream, 0, "2001:db8::1") // not asked for
	w.expectState(Pending, "waiting for the first answer for A")
	w.answer(upstream, 0, "192.0.2.1")
	w.expect("192.0.2.1")
	w.expectState(Resolved, "")
	if got := w.entry().Answered; !got.Equal(w.now) {
		t.Errorf("Answered %v", got)
	}
}

func TestRecord_LeavesOutWhatIsNoAddressOfTheFamily(t *testing.T) {
	w := newWorld(t, Options{})
	mixed := []netip.Addr{{}, netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"),
		netip.MustParseAddr("::ffff:192.0.2.1"), netip.MustParseAddr("192.0.2.1")}
	w.Record(Key{Name: host(www), Source: upstream}, Answer{Addrs: mixed}, w.now)
	w.expect("192.0.2.1")
	w.Record(Key{Name: host(www), Family: IPv6, Source: upstream}, Answer{Addrs: mixed}, w.now)
	w.expect("192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1")
	w.Record(Key{Name: host(www), Family: 7, Source: upstream}, Answer{Addrs: mixed}, w.now)
	if got := w.Stats().Questions; got != 2 {
		t.Errorf("%d questions", got)
	}
}

func TestRetention_IsPerOwner(t *testing.T) {
	w := newWorld(t, Options{})
	brief := Owner{Kind: "FQDNEgressPolicy", Namespace: "shop", Name: "brief"}
	w.wants(brief, new(time.Duration(0)), www)
	w.answer(upstream, 0, "192.0.2.1")
	w.answer(upstream, 0, "192.0.2.2")
	w.expect("192.0.2.1 5m0s", "192.0.2.2")
	s := w.Snapshot(brief, w.now)
	if got := s.Patterns[0].Addresses[0].Until; !got.Equal(w.now) {
		t.Errorf("Until %v, want now", got)
	}
	w.wants(web, new(time.Hour), www) // a longer one acts on what is still known
	w.expect("192.0.2.1 1h0m0s", "192.0.2.2")
	w.wants(web, new(time.Minute), www)
	w.expect("192.0.2.1 1m0s", "192.0.2.2")
	w.pass(2 * time.Minute)
	w.wants(web, new(time.Hour), www) // what is gone stays gone
	w.expect("192.0.2.2")
}

func TestWant_KeepsOrderAndSince(t *testing.T) {
	w := newWorld(t, Options{})
	first := w.now
	w.pass(time.Minute)
	w.Want(web, Wants{Patterns: []fqdn.Pattern{pattern("*.example.net"), pattern(www), {}, pattern("WWW.example.com.")}}, w.now)
	var got []string
	for _, e := range w.Snapshot(web, w.now).Patterns {
		got = append(got, fmt.Sprintf("%s %v %v", e.Pattern, e.Wanted.Sub(first), e.Retention))
	}
	want := []string{"*.example.net 1m0s 5m0s", "www.example.com 0s 5m0s"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("entries (-want +got):\n%s", d)
	}
}

func TestSnapshot_OfAnUnknownOwner(t *testing.T) {
	w := newWorld(t, Options{})
	w.Forget(Owner{Name: "unknown"})
	if s := w.Snapshot(Owner{Name: "unknown"}, w.now); len(s.Patterns) != 0 || !s.Next.IsZero() {
		t.Errorf("snapshot %+v", s)
	}
}

func TestOnChange_EachOf5000OwnersOnceAndWithoutTheLock(t *testing.T) {
	const count = 5000
	b := New(Options{})
	notified := map[Owner]int{}
	b.OnChange(func(o Owner, _ Urgency) {
		notified[o]++
		if got := len(b.Snapshot(o, start).Patterns[0].Addresses); got != 1 { // the lock is free, the change is seen
			t.Errorf("%d addresses", got)
		}
	})
	for i := range count {
		b.Want(Owner{"K", fmt.Sprint("ns", i), "p"}, Wants{Patterns: []fqdn.Pattern{pattern(www)}}, start)
	}
	b.Record(Key{Name: host(www), Source: upstream}, Answer{Addrs: v4(1, 1)}, start)
	if len(notified) != count {
		t.Errorf("%d owners notified", len(notified))
	}
	for o, times := range notified {
		if times != 1 {
			t.Errorf("%v notified %d times", o, times)
		}
	}
}

func TestOnChange_OnlyOwnersWithAnAffectedRetention(t *testing.T) {
	w := newWorld(t, Options{MaxStale: time.Hour})
	long := Owner{Kind: "FQDNEgressPolicy", Namespace: "shop", Name: "long"}
	w.wants(long, new(10*time.Hour), www)
	w.absent(upstream, IPv6, NoData)
	w.answer(upstream, 0, "192.0.2.1")
	w.absent(upstream, IPv4, NoData)
	w.pass(7 * time.Minute) // gone for web, retained for long
	w.notified = nil
	w.Retire("", upstream, w.now)
	w.expectNotified()
	w.absent(second, IPv4, NXDomain) // the message says how many are kept: both see another source
	if len(w.notified) != 2 {
		t.Errorf("notified %v", w.notified)
	}
}

// For the race detector; and whoever is notified finds the change.
func TestBook_ConcurrentUse(t *testing.T) {
	b := New(Options{MaxAddressesPerName: 20})
	b.OnChange(func(o Owner, _ Urgency) { b.Snapshot(o, start) })
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			o := Owner{"K", fmt.Sprint("ns", g), "p"}
			s := Source(fmt.Sprint("s", g))
			f := b.newFollower()
			defer f.Close()
			for i := range 300 {
				b.Want(o, Wants{Patterns: []fqdn.Pattern{pattern(www), pattern(fmt.Sprintf("x%d.example.com", i%3))}}, start)
				b.Record(Key{Name: host(www), Source: s}, Answer{Addrs: v4(i, 4)}, start)
				b.Fail(Key{Name: host(www), Family: IPv6, Source: s}, "timeout", start)
				b.Retire("", s, start)
				f.follow()
				b.Stats()
				if i%50 == 0 {
					b.Forget(o)
				}
			}
			b.Forget(o)
		})
	}
	wg.Wait()
	if got := b.Stats(); got.Owners != 0 || got.Names != 0 || got.Evicted == 0 {
		t.Errorf("stats %+v", got)
	}
}
