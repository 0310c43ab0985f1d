// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

const third Source = "10.96.0.12:53"

// storm lets so many TTLs pass, each with what the sources say of www.example.com, and looks at the name after each word
// and at each Next. It returns what a status said, each time that it changed.
func (w *world) storm(ttls int, ttl time.Duration, say func(round int)) []string {
	w.t.Helper()
	var said []string
	look := func() {
		e := w.entry()
		if line := fmt.Sprintf("%s: %s", e.State, e.Message); len(said) == 0 || said[len(said)-1] != line {
			said = append(said, line)
		}
	}
	w.OnChange(func(Owner, Urgency) { look() })
	look()
	for round := range ttls {
		say(round)
		end := w.now.Add(ttl)
		for {
			next := w.Snapshot(web, w.now).Next
			if next.IsZero() || next.After(end) {
				break
			}
			w.now = next
			look()
		}
		w.now = end
	}
	before := len(said)
	if look(); len(said) > before {
		w.t.Errorf("nobody was told that it is %s", said[before])
	}
	return said
}

func (w *world) expectSaid(got []string, want ...string) {
	w.t.Helper()
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		w.t.Errorf("said\n%q\nwant\n%q", got, want)
	}
}

// twoMinds lets a source say now addresses and now NXDOMAIN of both types, for 30 seconds each, as a cache before two
// resolvers does of which one knows the name.
func (w *world) twoMinds(s Source, knows bool) {
	if knows {
		w.answer(s, 30*time.Second, "10.1.0.9")
		w.absent(s, IPv6, NoData)
		return
	}
	for _, f := range []Family{IPv4, IPv6} {
		w.Record(Key{Name: host(www), Family: f, Source: s}, Answer{Outcome: NXDomain, TTL: 30 * time.Second}, w.now)
	}
}

// Two replicas of CoreDNS before two resolvers of which one knows the name: half an hour of it is said once, and ends once.
func TestUnrest_TwoReplicasBeforeResolversThatDisagree(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		w := newWorld(t, Options{})
		w.twoMinds(upstream, true)
		w.twoMinds(second, true)
		negative := false // both, before one of them came back
		said := w.storm(100, 30*time.Second, func(round int) {
			for _, s := range []Source{upstream, second} {
				w.twoMinds(s, round >= 60 || random.IntN(2) == 0)
			}
			if len(w.entry().Addresses) != 1 {
				t.Fatalf("seed %d, round %d: the address went", seed, round)
			}
			negative = negative || w.entry().State == NotFound
		})
		want := []string{"Resolved: ", "Resolved: " + atOdds, "Resolved: "}
		if negative { // which nobody can tell from a name that is gone
			want = []string{"Resolved: ", "NotFound: NXDOMAIN from 10.96.0.10:53; NXDOMAIN from 10.96.0.11:53, keeping 1 address",
				"Resolved: " + atOdds, "Resolved: "}
		}
		w.expectSaid(said, want...)
	}
}

func TestUnrest_OneReplicaBeforeResolversThatDisagree(t *testing.T) {
	w := newWorld(t, Options{})
	said := w.storm(100, 30*time.Second, func(round int) { w.twoMinds(upstream, round%2 == 0 || round > 60) })
	w.expectSaid(said, "Pending: waiting for the first answer for A and AAAA", "Pending: waiting for the first answer for AAAA",
		"Resolved: ", "NotFound: NXDOMAIN from 10.96.0.10:53, keeping 1 address",
		"Resolved: "+atOdds, "Resolved: ")
}

// What is gone for good is told at once, or, of a name that went back and forth before, when its addresses have left.
func TestUnrest_ARealAbsenceIsTold(t *testing.T) {
	const gone = "NotFound: NXDOMAIN from 10.96.0.10:53, keeping 1 address"
	w := newWorld(t, Options{})
	w.twoMinds(upstream, true)
	w.absent(upstream, IPv6, NXDomain)
	said := w.storm(100, 30*time.Second, func(int) { w.twoMinds(upstream, false) })
	w.expectSaid(said, "Resolved: ", gone, "NotFound: NXDOMAIN from 10.96.0.10:53")

	w.pass(time.Hour)
	w.wants(web, new(5*time.Minute), www)
	w.storm(10, 30*time.Second, func(round int) { w.twoMinds(upstream, round%2 == 0) })
	began := w.now
	said = w.storm(100, 30*time.Second, func(int) {
		w.twoMinds(upstream, false)
		if e := w.entry(); (e.State == NotFound) != (w.now.Sub(began) >= 5*time.Minute-30*time.Second) {
			t.Errorf("after %v it is %s", w.now.Sub(began), e.State)
		}
	})
	w.expectSaid(said, "Resolved: "+atOdds, "NotFound: "+atOdds, "NotFound: NXDOMAIN from 10.96.0.10:53")
}

// One replica of three that times out now and then is nobody's business, and one that is dead is said once.
func TestUnrest_OneReplicaOfThreeTimesOut(t *testing.T) {
	for name, tt := range map[string]struct {
		fails func(round int, random *rand.Rand) bool
		want  []string
	}{
		"now and then": {func(_ int, random *rand.Rand) bool { return random.IntN(2) == 0 }, []string{"Resolved: "}},
		"dead for a while": {func(round int, _ *rand.Rand) bool { return round > 60 && round < 300 },
			[]string{"Resolved: ", "Resolved: timeout from 10.96.0.12:53 while others answer", "Resolved: "}},
		"dead for a while, again and again": {func(round int, random *rand.Rand) bool { return round < 360 && round%40 < 30 && random.IntN(30) > 0 },
			[]string{"Resolved: ", "Resolved: timeout from 10.96.0.12:53 while others answer", "Resolved: "}},
	} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			w := newWorld(t, Options{})
			all := func(s Source) {
				w.answer(s, 5*time.Second, "192.0.2.1")
				w.absent(s, IPv6, NoData)
			}
			for _, s := range []Source{upstream, second, third} {
				all(s)
			}
			said := w.storm(600, 5*time.Second, func(round int) {
				all(upstream)
				all(second)
				switch {
				case !tt.fails(round, random):
					all(third)
				case random.IntN(3) == 0:
					w.fails(third, IPv4, "SERVFAIL") // the reason varies, what is said does not
					w.fails(third, IPv6, "timeout")
				default:
					w.fails(third, IPv4, "timeout")
					w.fails(third, IPv6, "timeout")
				}
			})
			if name == "dead for a while, again and again" && len(said) == 3 {
				tt.want[1] = said[1] // either reason
			}
			w.expectSaid(said, tt.want...)
		})
	}
}

// SERVFAIL for AAAA alone.
func TestUnrest_OneFamilyFails(t *testing.T) {
	for name, tt := range map[string]struct {
		aaaa  bool // it had addresses
		fails func(round int) bool
		want  []string
	}{
		"for half an hour": {true, func(round int) bool { return round < 60 }, []string{
			"Resolved: ", "Stale: SERVFAIL for AAAA from 10.96.0.10:53, keeping 1 address", "Resolved: "}},
		"for half an hour, without addresses": {false, func(round int) bool { return round < 60 }, []string{
			"Resolved: ", "Resolved: SERVFAIL for AAAA from 10.96.0.10:53", "Resolved: "}},
		"every other time": {true, func(round int) bool { return round < 60 && round%2 == 0 }, []string{
			"Resolved: ", "Stale: SERVFAIL for AAAA from 10.96.0.10:53, keeping 1 address", "Resolved: ",
			"Resolved: " + unreliable, "Resolved: "}},
		"every other time, and then for good": {true, func(round int) bool { return round > 60 || round%2 == 0 }, []string{
			"Resolved: ", "Stale: SERVFAIL for AAAA from 10.96.0.10:53, keeping 1 address", "Resolved: ",
			"Resolved: " + unreliable, "Stale: SERVFAIL for AAAA from 10.96.0.10:53, keeping 1 address"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Options{})
			aaaa := func() {
				if tt.aaaa {
					w.answer(upstream, 30*time.Second, "2001:db8::1")
				} else {
					w.absent(upstream, IPv6, NoData)
				}
			}
			w.answer(upstream, 30*time.Second, "192.0.2.1")
			aaaa()
			say := func(round int) {
				w.answer(upstream, 30*time.Second, "192.0.2.1")
				if tt.fails(round) {
					w.fails(upstream, IPv6, "SERVFAIL")
				} else {
					aaaa()
				}
			}
			w.expectSaid(w.storm(100, 30*time.Second, say), tt.want...)
		})
	}
}

// A name without addresses whose absence has two words, or that a replica fails to tell at times.
func TestUnrest_OfANameWithoutAddresses(t *testing.T) {
	w := newWorld(t, Options{})
	absent := func(o Outcome) {
		w.absent(upstream, IPv4, o)
		w.absent(upstream, IPv6, o)
	}
	absent(NXDomain)
	w.absent(second, IPv4, NXDomain)
	w.absent(second, IPv6, NXDomain)
	said := w.storm(60, time.Minute, func(round int) {
		if round%3 == 0 {
			w.fails(second, IPv6, "timeout")
		}
		w.absent(second, IPv6, NXDomain)
		if round < 30 && round%2 == 0 {
			absent(NoData)
			return
		}
		absent(NXDomain)
	})
	const two = "NotFound: NXDOMAIN from 10.96.0.10:53; NXDOMAIN from 10.96.0.11:53"
	const other = "NotFound: NXDOMAIN from 10.96.0.11:53; no A or AAAA records (NODATA) from 10.96.0.10:53"
	const mixed = "NotFound: NXDOMAIN or NODATA, now one and now the other, from 10.96.0.10:53; " +
		"NXDOMAIN or NODATA, now one and now the other, from 10.96.0.11:53"
	w.expectSaid(said, two, other, mixed, two)
}

// What all sources have failed to say for a while ends with the first answer, though others fail on.
func TestUnrest_AnOutageThatEnds(t *testing.T) {
	w := newWorld(t, Options{})
	w.absent(upstream, IPv6, NoData)
	w.answer(upstream, 0, "192.0.2.1")
	w.answer(second, 0, "192.0.2.1")
	w.fails(upstream, IPv4, "timeout")
	w.fails(second, IPv4, "timeout")
	w.pass(5 * time.Minute)
	w.expectState(Stale, "timeout for A from 10.96.0.10:53; timeout for A from 10.96.0.11:53, keeping 1 address")
	w.answer(upstream, 0, "192.0.2.1")
	w.expectState(Resolved, "")
	w.pass(time.Second)
	w.answer(second, 0, "192.0.2.1")
	w.expectState(Resolved, "")
	if next := w.Snapshot(web, w.now).Next; !next.IsZero() {
		t.Errorf("something changes at %v", next)
	}
}

// The reason of a failure that lasts is the one that comes now, not the one it began with.
func TestUnrest_TheReasonFollows(t *testing.T) {
	w := newWorld(t, Options{})
	for i := range 30 {
		reason := "timeout"
		if i >= 10 || i%2 == 1 {
			reason = "SERVFAIL"
		}
		w.fails(upstream, IPv4, reason)
		w.fails(upstream, IPv6, reason)
		want := "timeout"
		if i >= 18 { // ten minutes after the last timeout
			want = "SERVFAIL"
		}
		w.expectState(Failing, want+" for A and AAAA from 10.96.0.10:53")
		w.pass(time.Minute)
	}
}

// An outage that turns from one kind into another says so soon; two kinds that alternate are said as one.
func TestUnrest_ReasonOfAFailureFollowsWhatLasts(t *testing.T) {
	for _, tt := range []struct {
		name   string
		reason func(i int) string // of the failure in second 5i
		want   int                // changes of what is said in half an hour, after the first failure
	}{
		{"turns once", func(i int) string { return [...]string{"SERVFAIL", "timeout"}[min(i/60, 1)] }, 1},
		{"alternates each time", func(i int) string { return [...]string{"SERVFAIL", "timeout"}[i%2] }, 0},
		{"alternates each minute", func(i int) string { return [...]string{"SERVFAIL", "timeout"}[i/12%2] }, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, Options{})
			said := make([]string, 360)
			for i := range 360 {
				w.fails(upstream, IPv4, tt.reason(i))
				said[i] = w.entry().Message
				w.pass(5 * time.Second)
			}
			changes := 0
			for i := 1; i < 360; i++ {
				if said[i] != said[i-1] {
					changes++
				}
			}
			if changes != tt.want {
				t.Errorf("%d changes, want %d; at the end: %q", changes, tt.want, said[359])
			}
			if tt.name == "turns once" && !strings.Contains(said[60+5], "timeout") {
				t.Errorf("25 s after the failures turned into timeouts: %q", said[60+5])
			}
		})
	}
}
