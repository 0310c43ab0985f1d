// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// TestOnChange_AKnownPoolWakesNobody: whoever lists a name that rotates within addresses that are all kept has nothing to do,
// though every answer moves an Until.
func TestOnChange_AKnownPoolWakesNobody(t *testing.T) {
	for _, tt := range []struct {
		name               string
		pool, answer, step int
	}{{"one of six", 6, 1, 1}, {"8 of 40 in turn", 40, 8, 8}, {"half of 1,000", 1000, 500, 100}} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, Options{})
			woken := 0
			w.OnChange(func(Owner, Urgency) { woken++ })
			for i := range 20 {
				w.wants(Owner{Namespace: "ns", Name: fmt.Sprint(i)}, []*time.Duration{nil, new(time.Hour)}[i%2], www)
			}
			pool := v4(0, tt.pool)
			pool = append(pool, pool...)
			k := Key{Name: host(www), Source: upstream}
			for i := range 3 * tt.pool / tt.step { // until it is known
				first := i * tt.step % tt.pool
				w.Record(k, Answer{Addrs: pool[first : first+tt.answer], TTL: time.Second}, w.now)
				w.pass(time.Second)
			}
			woken = 0
			for i := range 100 {
				first := i * 7 % tt.pool
				w.Record(k, Answer{Addrs: pool[first : first+tt.answer], TTL: time.Second}, w.now)
				w.pass(time.Second)
			}
			if woken > 0 {
				t.Errorf("%d times woken by 100 answers that brought nothing new", woken)
			}
			w.Record(k, Answer{Addrs: v4(5000, 1), TTL: time.Second}, w.now)
			if woken != 21 {
				t.Errorf("%d of 21 owners woken by a new address", woken)
			}
		})
	}
}

// TestOnChange_SaysHowUrgentItIs: additions before all else.
func TestOnChange_SaysHowUrgentItIs(t *testing.T) {
	w := newWorld(t, Options{Families: []Family{IPv4}})
	var got []Urgency
	w.OnChange(func(_ Owner, u Urgency) { got = append(got, u) })
	expect := func(what string, want ...Urgency) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
		got = nil
	}
	w.Serve("", 1)
	expect("a server", Other)
	w.answer(upstream, time.Minute, "192.0.2.1", "192.0.2.2")
	expect("the first addresses", Added)
	w.answer(upstream, time.Minute, "192.0.2.1")
	expect("an Until, the first of all", Other)
	w.answer(upstream, time.Minute, "192.0.2.2")
	expect("another Until, later", []Urgency{}...)
	w.fails(upstream, IPv4, "timeout")
	expect("a state", Other)
	w.Observe(host(www), IPv4, []netip.Addr{netip.MustParseAddr("192.0.2.9")}, time.Minute, w.now)
	expect("an address that a pod was told", Awaited)
}

// TestOnChange_AnAddressThatComesBackLate: a writer may have taken it away since its Until passed, although it is still listed.
func TestOnChange_AnAddressThatComesBackLate(t *testing.T) {
	w := newWorld(t, Options{})
	w.wants(web, new(time.Duration(0)), www)
	w.answer(upstream, 0, "192.0.2.1")
	w.answer(upstream, 0, "192.0.2.2")
	w.pass(ListedAfterUntil - time.Second)
	w.expect("192.0.2.1 -59s", "192.0.2.2")
	w.notified = nil
	w.answer(upstream, 0, "192.0.2.1", "192.0.2.2")
	w.expectNotified(web)
}

// TestEntryRevision is of the set of addresses: whoever sees the same set has the same one, and no set but the empty one has 0.
func TestEntryRevision(t *testing.T) {
	w := newWorld(t, Options{Families: []Family{IPv4}})
	other := Owner{Namespace: "apps", Name: "other"}
	w.wants(other, new(time.Hour), www)
	revision := func(o Owner) Revision { return w.Snapshot(o, w.now).Patterns[0].Revision }
	if got := revision(web); got != 0 {
		t.Errorf("of nothing: %d", got)
	}
	w.answer(upstream, time.Minute, "192.0.2.1")
	one := revision(web)
	if one == 0 || revision(other) != one {
		t.Errorf("of one address: %d and %d", one, revision(other))
	}
	w.answer(upstream, time.Minute, "192.0.2.2")
	two := revision(web)
	if two == one || two == 0 {
		t.Errorf("of two addresses: %d after %d", two, one)
	}
	w.answer(upstream, time.Minute, "192.0.2.1")
	w.fails(upstream, IPv4, "timeout")
	if got := revision(web); got != two {
		t.Errorf("nothing came or went, yet %d became %d", two, got)
	}
	w.pass(7*time.Minute + ListedAfterUntil)
	if got := revision(web); got != one || revision(other) != two {
		t.Errorf("after an address left: %d, want %d; for who keeps it longer %d, want %d", got, one, revision(other), two)
	}
}

// TestWant_RepeatsCostNothing: a host that two rules list is no change at each reconcile.
func TestWant_RepeatsCostNothing(t *testing.T) {
	w := newWorld(t, Options{})
	ps := []fqdn.Pattern{pattern(www), pattern("*.example.com"), pattern(www), {}}
	w.Want(web, Wants{Patterns: ps}, w.now)
	before := w.Snapshot(web, w.now).Revision
	if got := testing.AllocsPerRun(10, func() { w.Want(web, Wants{Patterns: ps}, w.now) }); got > 0 {
		t.Errorf("%v allocations", got)
	}
	if got := w.Snapshot(web, w.now).Revision; got != before {
		t.Errorf("revision %d became %d", before, got)
	}
}
