// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

func TestRetire(t *testing.T) {
	t.Run("without a successor MaxStale bounds", func(t *testing.T) {
		w := newWorld(t, Options{})
		w.answer(upstream, time.Minute, "192.0.2.1")
		w.absent(upstream, IPv6, NoData)
		w.Retire(upstream, w.now)
		w.expect("192.0.2.1 current 24h1m0s")
		w.expectState(Resolved, "")
	})
	t.Run("the successor's answer starts retention", func(t *testing.T) {
		w := newWorld(t, Options{})
		w.answer(upstream, time.Second, "192.0.2.1")
		w.answer(second, time.Second, "192.0.2.2") // before: does not count
		w.Retire(upstream, w.now)
		w.expect("192.0.2.1 current 24h0m1s", "192.0.2.2")
		w.pass(10 * time.Second)
		w.absent(second, IPv6, NoData)   // another question: does not count
		w.fails(second, IPv4, "timeout") // no good answer
		w.expect("192.0.2.1 current 23h59m51s", "192.0.2.2 current 23h59m51s")
		w.answer(second, time.Second, "192.0.2.2")
		w.expect("192.0.2.1 5m0s", "192.0.2.2")
	})
	t.Run("retention starts at the expiry if that is later", func(t *testing.T) {
		w := newWorld(t, Options{})
		w.answer(upstream, time.Hour, "192.0.2.1")
		w.Retire(upstream, w.now)
		w.answer(second, time.Second, "192.0.2.2")
		w.expect("192.0.2.1 1h5m0s", "192.0.2.2")
	})
	t.Run("a repeat by the successor counts too", func(t *testing.T) {
		w := newWorld(t, Options{})
		w.answer(upstream, 0, "192.0.2.1")
		w.answer(second, 0, "192.0.2.2")
		w.Retire(upstream, w.now)
		w.notified = nil
		w.answer(second, 0, "192.0.2.2")
		w.expectNotified(web)
		w.expect("192.0.2.1 5m0s", "192.0.2.2")
	})
	t.Run("an answer brings the source back", func(t *testing.T) {
		w := newWorld(t, Options{})
		w.answer(upstream, 0, "192.0.2.1")
		w.Retire(upstream, w.now)
		w.answer(upstream, 0, "192.0.2.1")
		w.expect("192.0.2.1")
	})
	t.Run("an address of both sources stays, and wakes nobody", func(t *testing.T) {
		w := newWorld(t, Options{})
		w.answer(upstream, 0, "192.0.2.1")
		w.answer(second, 0, "192.0.2.1")
		w.notified = nil
		w.Retire(upstream, w.now)
		w.expectNotified()
		w.expect("192.0.2.1")
	})
	t.Run("of a source that nobody knows", func(t *testing.T) {
		w := newWorld(t, Options{})
		w.Retire("nobody", w.now)
		w.expectNotified()
	})
	t.Run("wakes an owner of several names once", func(t *testing.T) {
		w := newWorld(t, Options{})
		w.wants(web, nil, www, "other.example.com")
		w.answer(upstream, 0, "192.0.2.1")
		w.Record(Key{Name: host("other.example.com"), Source: upstream}, Answer{Addrs: v4(1, 1)}, w.now)
		w.notified = nil
		w.Retire(upstream, w.now)
		w.expectNotified(web)
	})
}

func TestRetire_OfAllSourcesKeepsTheState(t *testing.T) {
	for _, c := range []struct {
		name  string
		words func(*world)
	}{
		{"resolved", func(w *world) {
			w.answer(upstream, 0, "192.0.2.1")
			w.answer(second, 0, "192.0.2.1")
			w.absent(upstream, IPv6, NoData)
		}},
		{"not found", func(w *world) {
			w.absent(second, IPv4, NXDomain)
			w.absent(second, IPv6, NXDomain)
		}},
		{"failing", func(w *world) {
			w.fails(second, IPv4, "timeout")
			w.fails(second, IPv6, "SERVFAIL")
		}},
		{"stale", func(w *world) {
			w.answer(second, 0, "192.0.2.1")
			w.fails(second, IPv4, "timeout")
			w.absent(second, IPv6, NoData)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, Options{})
			c.words(w)
			before := w.entry()
			w.Retire(upstream, w.now)
			w.pass(time.Second)
			w.Retire(second, w.now)
			w.expectState(before.State, before.Message)
			if got, want := len(w.entry().Addresses), len(before.Addresses); got != want {
				t.Errorf("%d addresses, want %d", got, want)
			}
		})
	}
}

func TestRetire_TheLastToGoHaveTheSay(t *testing.T) {
	w := newWorld(t, Options{})
	w.absent(upstream, IPv6, NoData)
	w.answer(upstream, time.Minute, "192.0.2.1")
	w.answer(second, time.Minute, "192.0.2.1")
	w.fails("10.96.0.9:53", IPv4, "timeout")
	w.Retire(second, w.now)
	w.pass(time.Second)
	w.Retire(upstream, w.now)
	w.pass(time.Second)
	w.Retire("10.96.0.9:53", w.now)
	w.expectState(Stale, "timeout for A from 10.96.0.9:53, keeping 1 address")
}

func TestState(t *testing.T) {
	for _, c := range []struct {
		name    string
		words   func(*world)
		state   State
		message string
	}{
		{"NXDOMAIN", func(w *world) {
			w.absent(upstream, IPv4, NXDomain)
			w.absent(upstream, IPv6, NXDomain)
		}, NotFound, "NXDOMAIN from 10.96.0.10:53"},
		{"NXDOMAIN with retained addresses", func(w *world) {
			w.answer(upstream, 0, "192.0.2.1", "192.0.2.2")
			w.absent(upstream, IPv4, NXDomain)
			w.absent(upstream, IPv6, NXDomain)
		}, NotFound, "NXDOMAIN from 10.96.0.10:53, keeping 2 addresses"},
		{"NXDOMAIN here, NODATA there", func(w *world) {
			w.absent(upstream, IPv4, NXDomain)
			w.absent(upstream, IPv6, NXDomain)
			w.absent(second, IPv4, NoData)
		}, NotFound, "NXDOMAIN from 10.96.0.10:53; no A records (NODATA) from 10.96.0.11:53"},
		{"NXDOMAIN here, failing there", func(w *world) {
			w.absent(upstream, IPv4, NXDomain)
			w.absent(upstream, IPv6, NXDomain)
			w.fails(second, IPv4, "REFUSED")
		}, NotFound, "NXDOMAIN from 10.96.0.10:53; REFUSED for A from 10.96.0.11:53 while others answer"},
		{"a good answer without addresses", func(w *world) {
			w.Record(Key{Name: host(www), Source: upstream}, Answer{}, w.now)
			w.absent(upstream, IPv6, NoData)
		}, NotFound, "no A or AAAA records (NODATA) from 10.96.0.10:53"},
		{"both families fail in one way", func(w *world) {
			w.fails(upstream, IPv4, "SERVFAIL")
			w.fails(upstream, IPv6, "SERVFAIL")
		}, Failing, "SERVFAIL for A and AAAA from 10.96.0.10:53"},
		{"a failure without a reason", func(w *world) {
			w.fails(upstream, IPv4, "")
			w.fails(upstream, IPv6, "")
		}, Failing, "failure for A and AAAA from 10.96.0.10:53"},
		{"one upstream of two answers", func(w *world) {
			w.answer(upstream, 0, "192.0.2.1")
			w.absent(upstream, IPv6, NoData)
			w.fails(second, IPv4, "timeout")
		}, Resolved, "timeout for A from 10.96.0.11:53 while others answer"},
		{"no upstream of two answers", func(w *world) {
			w.answer(upstream, 0, "192.0.2.1", "192.0.2.2")
			w.absent(upstream, IPv6, NoData)
			w.fails(upstream, IPv4, "SERVFAIL")
			w.fails(second, IPv4, "timeout")
		}, Stale, "SERVFAIL for A from 10.96.0.10:53; timeout for A from 10.96.0.11:53, keeping 2 addresses"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, Options{})
			c.words(w)
			w.expectState(c.state, c.message)
		})
	}
}

func TestState_OfAWildcard(t *testing.T) {
	w := newWorld(t, Options{})
	w.wants(web, nil, "*.example.com", www)
	w.expectState(Pending, "nothing observes names yet, so this pattern adds no address")
	if names, _ := w.Wanted(); fmt.Sprint(names) != "["+www+"]" {
		t.Errorf("wanted %v", names)
	}
}

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
	w.wants(brief, ptr(time.Duration(0)), www)
	w.answer(upstream, 0, "192.0.2.1")
	w.answer(upstream, 0, "192.0.2.2")
	w.expect("192.0.2.1 5m0s", "192.0.2.2")
	s := w.Snapshot(brief, w.now)
	if got := s.Entries[0].Addresses[0].Until; !got.Equal(w.now) {
		t.Errorf("Until %v, want now", got)
	}
	w.wants(web, ptr(time.Hour), www) // a longer one acts on what is still known
	w.expect("192.0.2.1 1h0m0s", "192.0.2.2")
	w.wants(web, ptr(time.Minute), www)
	w.expect("192.0.2.1 1m0s", "192.0.2.2")
	w.pass(2 * time.Minute)
	w.wants(web, ptr(time.Hour), www) // what is gone stays gone
	w.expect("192.0.2.2")
}

func TestWant_KeepsOrderAndSince(t *testing.T) {
	w := newWorld(t, Options{})
	first := w.now
	w.pass(time.Minute)
	w.Want(web, []fqdn.Pattern{pattern("*.example.net"), pattern(www), {}, pattern("WWW.example.com.")}, nil, w.now)
	var got []string
	for _, e := range w.Snapshot(web, w.now).Entries {
		got = append(got, fmt.Sprintf("%s %v %v", e.Pattern, e.Wanted.Sub(first), e.Retention))
	}
	want := []string{"*.example.net 1m0s 5m0s", "www.example.com 0s 5m0s"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("entries (-want +got):\n%s", d)
	}
}

func TestWanted_SignalsChangesOfTheSetOnly(t *testing.T) {
	w := newWorld(t, Options{})
	closed := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
	_, signal := w.Wanted()
	other := Owner{Kind: "FQDNEgressPolicy", Namespace: "shop", Name: "other"}
	w.wants(other, nil, www, "*.example.com")
	w.wants(web, nil, www, "*.example.com")
	w.Forget(other)
	w.answer(upstream, 0, "192.0.2.1")
	if closed(signal) {
		t.Error("signal without a change")
	}
	w.wants(web, nil, www, "another.example.com")
	if !closed(signal) {
		t.Error("no signal for a new name")
	}
	names, signal := w.Wanted()
	if got := fmt.Sprint(names); got != "[another.example.com www.example.com]" {
		t.Errorf("wanted %v", got)
	}
	w.Forget(web)
	if !closed(signal) {
		t.Error("no signal for a name that went")
	}
}

func TestSnapshot_OfAnUnknownOwner(t *testing.T) {
	w := newWorld(t, Options{})
	w.Forget(Owner{Name: "unknown"})
	if s := w.Snapshot(Owner{Name: "unknown"}, w.now); len(s.Entries) != 0 || !s.Next.IsZero() {
		t.Errorf("snapshot %+v", s)
	}
}

func TestOnChange_EachOf5000OwnersOnceAndWithoutTheLock(t *testing.T) {
	const count = 5000
	b := New(Options{})
	notified := map[Owner]int{}
	b.OnChange(func(o Owner) {
		notified[o]++
		if got := len(b.Snapshot(o, start).Entries[0].Addresses); got != 1 { // the lock is free, the change is seen
			t.Errorf("%d addresses", got)
		}
	})
	for i := range count {
		b.Want(Owner{"K", fmt.Sprint("ns", i), "p"}, []fqdn.Pattern{pattern(www)}, nil, start)
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
	w.wants(long, ptr(10*time.Hour), www)
	w.absent(upstream, IPv6, NoData)
	w.answer(upstream, 0, "192.0.2.1")
	w.absent(upstream, IPv4, NoData)
	w.pass(7 * time.Minute) // gone for web, retained for long
	w.notified = nil
	w.Retire(upstream, w.now)
	w.expectNotified()
	w.absent(second, IPv4, NXDomain) // the message says how many are kept: both see another source
	if len(w.notified) != 2 {
		t.Errorf("notified %v", w.notified)
	}
}

// For the race detector; and whoever is notified finds the change.
func TestBook_ConcurrentUse(t *testing.T) {
	b := New(Options{MaxAddressesPerName: 20})
	b.OnChange(func(o Owner) { b.Snapshot(o, start) })
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			o := Owner{"K", fmt.Sprint("ns", g), "p"}
			s := Source(fmt.Sprint("s", g))
			for i := range 300 {
				b.Want(o, []fqdn.Pattern{pattern(www), pattern(fmt.Sprintf("x%d.example.com", i%3))}, nil, start)
				b.Record(Key{Name: host(www), Source: s}, Answer{Addrs: v4(i, 4)}, start)
				b.Fail(Key{Name: host(www), Family: IPv6, Source: s}, "timeout", start)
				b.Retire(s, start)
				b.Wanted()
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

func TestMessages_AreStable(t *testing.T) {
	w := newWorld(t, Options{})
	w.answer(upstream, time.Minute, "192.0.2.1")
	w.fails(second, IPv4, "timeout")
	w.fails(second, IPv6, "timeout")
	before := w.entry().Message
	for range 3 {
		w.pass(time.Minute)
		w.fails(second, IPv6, "timeout")
		w.fails(second, IPv4, "timeout")
		w.answer(upstream, time.Minute, "192.0.2.1")
	}
	if got := w.entry().Message; got != before || !strings.Contains(got, "timeout") {
		t.Errorf("message %q, was %q", got, before)
	}
}
