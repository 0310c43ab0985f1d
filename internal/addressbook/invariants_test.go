// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestInvariant2_NeverShrinksOnError(t *testing.T) {
	w := newWorld(t, Options{})
	w.answer(upstream, time.Minute, "192.0.2.1", "192.0.2.2")
	w.answer(upstream, time.Minute, "2001:db8::1")
	w.pass(time.Minute)
	for _, reason := range []string{"SERVFAIL", "REFUSED", "timeout", "truncated", "malformed"} {
		w.fails(upstream, IPv4, reason)
		w.pass(30 * time.Second)
	}
	left := 24*time.Hour - 150*time.Second
	w.expect("192.0.2.1 current "+left.String(), "192.0.2.2 current "+left.String(), "2001:db8::1")
}

func TestInvariant2_MaxStaleBoundsErrors(t *testing.T) {
	w := newWorld(t, Options{MaxStale: time.Hour})
	w.absent(upstream, IPv6, NoData)
	w.answer(upstream, time.Minute, "192.0.2.1")
	w.pass(time.Minute)
	w.fails(upstream, IPv4, "timeout")
	w.expect("192.0.2.1 current 1h0m0s")
	w.pass(time.Hour - 1)
	w.expectState(Stale, "timeout for A from 10.96.0.10:53, keeping 1 address")
	w.pass(1)
	w.expect("192.0.2.1 0s") // it lingers
	w.expectState(Failing, "timeout for A from 10.96.0.10:53")
	w.pass(ListedAfterUntil)
	w.expect()
}

func TestInvariant2_OnlyGoodAnswersAge(t *testing.T) {
	for _, c := range []struct {
		name string
		then func(*world)
		want string
	}{
		{"another address", func(w *world) { w.answer(upstream, 0, "192.0.2.9") }, "192.0.2.1 5m0s"},
		{"NODATA", func(w *world) { w.absent(upstream, IPv4, NoData) }, "192.0.2.1 5m0s"},
		{"NXDOMAIN", func(w *world) { w.absent(upstream, IPv4, NXDomain) }, "192.0.2.1 5m0s"},
		{"a failure", func(w *world) { w.fails(upstream, IPv4, "timeout") }, "192.0.2.1 current 24h0m0s"},
		{"another family", func(w *world) { w.absent(upstream, IPv6, NXDomain) }, "192.0.2.1"},
		{"another upstream", func(w *world) { w.absent(second, IPv4, NXDomain) }, "192.0.2.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, Options{})
			w.answer(upstream, time.Minute, "192.0.2.1")
			w.pass(time.Minute)
			c.then(w)
			want := []string{c.want}
			if c.name == "another address" {
				want = append(want, "192.0.2.9")
			}
			w.expect(want...)
		})
	}
}

func TestInvariant2_RetentionRunsFromTheLaterOfExpiryAndFirstAnswerWithout(t *testing.T) {
	w := newWorld(t, Options{})
	w.answer(upstream, time.Minute, "192.0.2.1")
	w.pass(10 * time.Second)
	w.answer(upstream, time.Minute, "192.0.2.2") // before the other expired
	w.expect("192.0.2.1 5m50s", "192.0.2.2")
	w.pass(10 * time.Minute) // long after it expired
	w.answer(upstream, time.Minute, "192.0.2.3")
	w.expect("192.0.2.2 5m0s", "192.0.2.3")
	w.pass(time.Minute)
	w.fails(upstream, IPv4, "timeout") // neither longer nor shorter
	w.expect("192.0.2.2 4m0s", "192.0.2.3 current 24h0m0s")
	w.answer(upstream, time.Minute, "192.0.2.2") // it came back
	w.expect("192.0.2.2", "192.0.2.3 5m0s")
}

// The book's part of invariant 3: a name's addresses are the union over its sources.
func TestInvariant3_UnionAcrossUpstreams(t *testing.T) {
	w := newWorld(t, Options{})
	w.answer(upstream, 0, "192.0.2.1", "192.0.2.2")
	w.answer(second, 0, "192.0.2.2", "192.0.2.3")
	w.answer(upstream, 0, "192.0.2.4")
	w.expect("192.0.2.1 5m0s", "192.0.2.2", "192.0.2.3", "192.0.2.4")
}

// The book's part of invariant 5: an answer that says what was known wakes nobody.
func TestInvariant5_RepeatsNotifyNobodyAndAllocateNothing(t *testing.T) {
	w := newWorld(t, Options{})
	w.answer(upstream, time.Minute, "192.0.2.1")
	w.answer(upstream, time.Minute, "2001:db8::1")
	w.expectNotified(web, web)

	k := Key{Name: host(www), Source: upstream}
	a := Answer{Addrs: v4(0, 50), TTL: time.Minute}
	w.Record(k, a, w.now)
	w.expectNotified(web)
	allocs := testing.AllocsPerRun(100, func() {
		w.pass(time.Minute)
		w.Record(k, a, w.now)
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
	w.fails(upstream, IPv6, "timeout")
	w.expectNotified(web)
	w.fails(upstream, IPv6, "timeout")
	w.expectNotified()
}

// The book's part of invariant 9.
func TestInvariant9_NameTakenOutTakesItsAddressesAtOnce(t *testing.T) {
	w := newWorld(t, Options{})
	w.answer(upstream, 0, "192.0.2.1")
	w.answer(upstream, 0, "192.0.2.2") // retains the first
	w.wants(web, nil, "other.example.com")
	w.wants(web, nil, "other.example.com", www)
	s := w.Snapshot(web, w.now)
	for _, e := range s.Patterns {
		if len(e.Addresses) > 0 || e.State != Pending {
			t.Errorf("%s: %s, %v", e.Pattern, e.State, e.Addresses)
		}
	}
	if got := w.Stats(); got.Names != 2 || got.Questions != 0 {
		t.Errorf("stats %+v", got)
	}
}

func TestInvariant9_NameOfAnotherOwnerStays(t *testing.T) {
	w := newWorld(t, Options{})
	api := Owner{Kind: "FQDNEgressPolicy", Namespace: "shop", Name: "api"}
	w.wants(api, nil, www)
	w.answer(upstream, 0, "192.0.2.1")
	w.wants(web, nil)
	if got := w.Snapshot(web, w.now); len(got.Patterns) > 0 {
		t.Errorf("entries %v", got.Patterns)
	}
	w.wants(web, nil, www) // what is known of it is known at once
	w.expect("192.0.2.1")
}

// The book's part of invariant 10: each question is aged on its own.
func TestInvariant10_OneBadQuestionChangesNoOther(t *testing.T) {
	w := newWorld(t, Options{})
	w.wants(web, nil, www, "bad.example.com")
	w.answer(upstream, time.Minute, "192.0.2.1")
	w.answer(upstream, time.Minute, "2001:db8::1")
	before := w.entry()
	for _, f := range []Family{IPv4, IPv6} {
		w.Fail(Key{Name: host("bad.example.com"), Family: f, Source: upstream}, "timeout", w.now)
	}
	if d := cmp.Diff(before, w.entry(), byValue); d != "" {
		t.Errorf("the good name changed (-before +after):\n%s", d)
	}
	if got := w.Snapshot(web, w.now).Patterns[1].State; got != Failing {
		t.Errorf("the bad name is %s", got)
	}
}

func TestInvariant12_AddressesPerNameAreBounded(t *testing.T) {
	w := newWorld(t, Options{MaxAddressesPerName: 3})
	k := Key{Name: host(www), Source: upstream}
	w.Record(k, Answer{Addrs: v4(1, 5), TTL: time.Minute}, w.now) // the lowest come first
	w.expect("10.0.0.1", "10.0.0.2", "10.0.0.3")
	w.pass(time.Second)
	w.Record(k, Answer{Addrs: v4(0, 4), TTL: time.Minute}, w.now) // known ones before lower ones
	w.expect("10.0.0.1", "10.0.0.2", "10.0.0.3")
	w.pass(time.Second)
	w.Record(k, Answer{Addrs: v4(2, 2), TTL: time.Minute}, w.now)
	w.pass(time.Second)
	w.Record(k, Answer{Addrs: v4(3, 2), TTL: time.Minute}, w.now) // 1 was answered least recently
	w.expect("10.0.0.2 5m59s", "10.0.0.3", "10.0.0.4")
	if got := w.Stats(); got.Evicted != 2+1+1 || got.Addresses != 3 {
		t.Errorf("stats %+v", got)
	}
}

func TestInvariant12_LeastRecentlyAnsweredByAnySourceGoesFirst(t *testing.T) {
	w := newWorld(t, Options{MaxAddressesPerName: 3})
	w.answer(upstream, 0, "192.0.2.1", "192.0.2.2")
	w.absent(upstream, IPv4, NoData)
	w.pass(time.Second)
	w.answer(second, 0, "192.0.2.2") // so the other is older
	w.absent(second, IPv4, NoData)
	w.pass(time.Second)
	w.answer(second, 0, "192.0.2.8", "192.0.2.9")
	w.expect("192.0.2.2 4m59s", "192.0.2.8", "192.0.2.9")
}

func TestInvariant12_SourcesTooBigTogetherDoNotPushEachOtherOut(t *testing.T) {
	w := newWorld(t, Options{MaxAddressesPerName: 3})
	w.answer(upstream, time.Minute, "192.0.2.5", "192.0.2.6")
	w.answer(second, time.Minute, "192.0.2.1", "192.0.2.2")
	w.notified = nil
	for range 5 {
		w.pass(time.Minute)
		w.answer(upstream, time.Minute, "192.0.2.5", "192.0.2.6")
		w.answer(second, time.Minute, "192.0.2.1", "192.0.2.2")
		w.expect("192.0.2.1", "192.0.2.5", "192.0.2.6")
	}
	w.expectNotified()
	w.fails(upstream, IPv4, "timeout") // what it holds makes room now
	w.answer(second, time.Minute, "192.0.2.1", "192.0.2.2")
	w.expect("192.0.2.1", "192.0.2.2", "192.0.2.5 current 24h1m0s")
}

func TestInvariant12_LimitedIsSteadyWhileABigNameRotates(t *testing.T) {
	w := newWorld(t, Options{MaxAddressesPerName: 10, Retention: 5 * time.Minute})
	w.absent(upstream, IPv6, NoData)
	k := Key{Name: host(www), Source: upstream}
	for i := range 100 {
		w.Record(k, Answer{Addrs: v4(i*5, 5), TTL: time.Hour}, w.now) // asked again before it expires
		if got, want := w.entry().Limit != NoLimit, i >= 2; got != want {
			t.Fatalf("answer %d: Limited %t, want %t", i, got, want)
		}
		w.pass(10 * time.Minute)
		if got, want := w.entry().Limit != NoLimit, i >= 2; got != want {
			t.Fatalf("after answer %d: Limited %t, want %t", i, got, want)
		}
	}
	w.Record(k, Answer{Addrs: v4(0, 1)}, w.now) // no longer big
	end := w.now.Add(50*time.Minute + 5*time.Minute)
	if next := w.Snapshot(web, end.Add(-1)).Next; !next.Equal(end) {
		t.Errorf("Next is %v, want %v", next, end)
	}
	if w.pass(55 * time.Minute); w.entry().Limit != NoLimit {
		t.Error("still Limited after retention")
	}
}

func TestInvariant12_LimitedOutlivesNoAnswerByMoreThanMaxStale(t *testing.T) {
	w := newWorld(t, Options{MaxAddressesPerName: 1, MaxStale: time.Hour})
	w.answer(upstream, 100*365*24*time.Hour, "192.0.2.1", "192.0.2.2")
	end := w.now.Add(time.Hour + 5*time.Minute)
	if w.entry().Limit == NoLimit {
		t.Error("not Limited")
	}
	if got := w.Snapshot(web, w.now).Next; !got.Equal(end) {
		t.Errorf("Limited until %v, want %v", got, end)
	}
}

func TestInvariant12_MessagesListThreeFacts(t *testing.T) {
	w := newWorld(t, Options{})
	for i := range 20 {
		s := Source(fmt.Sprintf("10.0.0.%02d:53", 20-i))
		w.fails(s, IPv4, "timeout")
		w.fails(s, IPv6, "timeout")
	}
	w.expectState(Failing, "timeout for A and AAAA from 10.0.0.01:53; timeout for A and AAAA from 10.0.0.02:53; "+
		"timeout for A and AAAA from 10.0.0.03:53; and more")
}
