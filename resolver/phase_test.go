// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

// countdown is a cache with one entry. Everything happens at given times.
type countdown struct {
	ttl    time.Duration
	busy   time.Duration // pods ask so long after an entry ended; 0: nobody but the poller asks
	pool   int           // an entry has one of so many addresses, in turn
	early  time.Duration // it renews by itself so long before the end
	keep   bool          // it hands out the full TTL
	honest int           // from this entry on it does not, and counts down
	tail   time.Duration // an entry lives so much longer than it said
	zero   bool          // it counts to zero, and lives for one second more
	strict int           // from this entry on it does not
	stale  time.Duration // the first question after the end is told the old entry with TTL 0, and so much later there is a new one
	flush  int           // this entry ends half-way
	lower  int           // from this entry on the TTL is a second
	race   time.Duration // each time the poller misses somebody else does, and the cache keeps what that one got, so much later
	stored time.Time
	entry  int
}

func (c *countdown) renew(at time.Time) {
	c.stored = at
	c.entry++
	if c.lower > 0 && c.entry >= c.lower {
		c.ttl = time.Second
	}
}

// ask returns what the cache answers at that time.
func (c *countdown) ask(at time.Time) addressbook.Answer {
	if c.flush == c.entry && at.Sub(c.stored) > c.ttl/2 {
		c.renew(c.stored.Add(c.ttl / 2))
	}
	last := time.Second
	if c.zero && (c.strict == 0 || c.entry < c.strict) {
		last = 0
	}
	life := c.ttl - c.early + c.tail + time.Second - last
	for c.busy > 0 && !c.stored.Add(life+c.busy).After(at) {
		c.renew(c.stored.Add(life + c.busy))
	}
	a := addressbook.Answer{TTL: max(c.ttl-at.Sub(c.stored).Truncate(time.Second), last)}
	if at.Sub(c.stored) >= life+c.early {
		a.Addrs = c.addrs()
		c.renew(at.Add(c.stale))
		if c.stale > 0 {
			return a
		}
		a.TTL = c.ttl
		if c.race > 0 {
			defer c.renew(at.Add(c.race))
		}
	}
	if c.keep && (c.honest == 0 || c.entry < c.honest) {
		a.TTL = c.ttl
	}
	a.Addrs = c.addrs()
	return a
}

func (c *countdown) addrs() []netip.Addr {
	return []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(c.entry % c.pool)})}
}

// polled is what came of polling.
type polled struct {
	late      []time.Duration // from the beginning of an entry to the poller's first answer from it
	entries   int             // those that count
	questions int
	phase     phase
}

// skipped is how many entries the poller never saw. The last one may be too young to have been seen.
func (p polled) skipped() int { return max(p.entries-len(p.late)-1, 0) }

const way = 600 * time.Microsecond

// pollCache asks the cache as a query does, from a random moment of an entry on, with timers that are up to a millisecond
// late, for so many entries, and leaves the first ones out of the account.
func pollCache(c countdown, seed uint64, entries, leaveOut int) polled {
	random := rand.New(rand.NewPCG(seed, seed))
	epoch := time.Unix(0, 0)
	start := epoch.Add(time.Hour)
	c.stored = start.Add(-time.Duration(random.Int64N(int64(c.ttl))))
	o := Options{}.withDefaults()
	var q query
	var p polled
	seen := 0
	for now := start; c.entry < entries; {
		answer := c.ask(now.Add(way / 2))
		told := c.entry // of a race: the one that came last is kept, and was not told
		if c.stored.After(now.Add(way / 2)) {
			told--
		}
		q.answer(answer, now.Sub(epoch), now.Add(way).Sub(epoch), &o)
		if c.entry > leaveOut {
			p.questions++
			if told == c.entry && told != seen {
				p.late = append(p.late, now.Add(way).Sub(c.stored))
			}
		}
		seen = told
		now = epoch.Add(q.due + time.Duration(random.Int64N(int64(time.Millisecond))))
	}
	slices.Sort(p.late)
	p.entries, p.phase = c.entry-leaveOut, q.phase
	return p
}

func (p polled) percentile(n int) time.Duration { return p.late[(len(p.late)-1)*n/100] }

func TestPhase_IsLockedToACacheThatCountsDown(t *testing.T) {
	for _, ttl := range []time.Duration{3 * time.Second, 5 * time.Second, 30 * time.Second, 4 * time.Minute} {
		for _, busy := range []time.Duration{0, 100 * time.Microsecond, 2500 * time.Microsecond} {
			for seed := range uint64(50) {
				p := pollCache(countdown{ttl: ttl, busy: busy, pool: 7}, seed, 108, 8)
				if p.skipped() > 0 || p.percentile(50) > 4*time.Millisecond || p.percentile(100) > 12*time.Millisecond {
					t.Fatalf("TTL %s, busy %s, seed %d: skipped %d of %d, p50 %s, latest %s", ttl, busy, seed,
						p.skipped(), p.entries, p.percentile(50), p.percentile(100))
				}
				if each := float64(p.questions) / float64(p.entries); each > 3.5 {
					t.Fatalf("TTL %s, busy %s, seed %d: %.2f questions an entry", ttl, busy, seed, each)
				}
			}
		}
	}
}

// Who misses together with somebody else is told a set that the cache does not keep, and the one that it keeps soon after.
func TestPhase_LearnsWhatTheCacheKept(t *testing.T) {
	for _, race := range []time.Duration{100 * time.Microsecond, 2 * time.Millisecond, 15 * time.Millisecond} {
		for seed := range uint64(50) {
			p := pollCache(countdown{ttl: 5 * time.Second, race: race, pool: 7}, seed, 120, 20)
			if len(p.late) < 40 {
				t.Fatalf("race %s, seed %d: of 50 kept entries %d were told", race, seed, len(p.late))
			}
			if p.percentile(100) > 60*time.Millisecond {
				t.Fatalf("race %s, seed %d: told %s after it was kept", race, seed, p.percentile(100))
			}
		}
	}
}

// An entry that outlives what it said, as the one that replaced it within a round trip does, is asked for until it is gone.
func TestPhase_AsksOnWhileAnEntryIsOverdue(t *testing.T) {
	for seed := range uint64(20) {
		p := pollCache(countdown{ttl: 5 * time.Second, busy: time.Millisecond, pool: 7, tail: 15 * time.Millisecond}, seed, 108, 20)
		if p.skipped() > 0 || p.percentile(100) > 40*time.Millisecond {
			t.Fatalf("seed %d: skipped %d of %d, latest %s", seed, p.skipped(), p.entries, p.percentile(100))
		}
	}
}

// A cache that hands entries out with TTL 0, for one more second, is locked to as well, and so it is when it ceases to.
func TestPhase_IsLockedToACacheThatCountsToZero(t *testing.T) {
	for name, c := range map[string]countdown{
		"nobody else asks":     {ttl: 5 * time.Second, pool: 7, zero: true},
		"busy":                 {ttl: 5 * time.Second, pool: 7, zero: true, busy: time.Millisecond},
		"stale answers":        {ttl: 5 * time.Second, pool: 7, zero: true, stale: time.Millisecond},
		"longer":               {ttl: 30 * time.Second, pool: 7, zero: true, busy: time.Millisecond},
		"not from entry 40 on": {ttl: 5 * time.Second, pool: 7, zero: true, strict: 40, busy: time.Millisecond},
	} {
		for seed := range uint64(50) {
			p := pollCache(c, seed, 108, 60)
			if p.phase.unlocked() || p.skipped() > 0 || p.percentile(50) > 5*time.Millisecond || p.percentile(100) > 15*time.Millisecond {
				t.Fatalf("%s, seed %d: lost %v, skipped %d of %d, p50 %s, latest %s", name, seed,
					p.phase.unlocked(), p.skipped(), p.entries, p.percentile(50), p.percentile(100))
			}
			if each := float64(p.questions) / float64(p.entries); each > 4.5 {
				t.Fatalf("%s, seed %d: %.2f questions an entry", name, seed, each)
			}
		}
	}
}

// What did not count down is tried again.
func TestPhase_IsFoundOnceItsUpstreamCountsDown(t *testing.T) {
	for seed := range uint64(20) {
		p := pollCache(countdown{ttl: 5 * time.Second, busy: time.Millisecond, pool: 7, keep: true, honest: 40}, seed, 300, 200)
		if p.phase.unlocked() || p.skipped() > 0 || p.percentile(100) > 12*time.Millisecond {
			t.Fatalf("seed %d: lost %v, skipped %d of %d, latest %s", seed, p.phase.unlocked(), p.skipped(), p.entries, p.percentile(100))
		}
	}
}

// A TTL that falls to a second is not an entry that is overdue for ever: the pause between questions holds again.
func TestPhase_FollowsATTLThatFalls(t *testing.T) {
	for seed := range uint64(20) {
		p := pollCache(countdown{ttl: 5 * time.Second, busy: time.Millisecond, pool: 7, lower: 40}, seed, 200, 60)
		if each := float64(p.questions) / float64(140); each > 1.1 {
			t.Fatalf("seed %d: %.2f questions a second", seed, each)
		}
	}
}

// A name that stays the same costs one question an entry, late by up to a second as that may be.
func TestPhase_SteadyNamesAreNotNarrowed(t *testing.T) {
	for seed := range uint64(50) {
		p := pollCache(countdown{ttl: 30 * time.Second, busy: time.Millisecond, pool: 1}, seed, 50, 1)
		if p.skipped() > 0 || p.questions > p.entries+1 {
			t.Fatalf("seed %d: %d questions for %d entries, %d skipped", seed, p.questions, p.entries, p.skipped())
		}
	}
}

// Without the lock a poller that waits out the TTL that it was given is late by whatever it happened to start with.
func TestPhase_ThePollerThatWaitsIsLateForEver(t *testing.T) {
	latest := time.Duration(0)
	for seed := range uint64(50) {
		p := pollCache(countdown{ttl: 5 * time.Second, busy: time.Millisecond, pool: 1}, seed, 50, 8)
		latest = max(latest, p.percentile(0))
	}
	if latest < 500*time.Millisecond {
		t.Errorf("the latest of 50 is %s at its best renewal: this test's cache is not worth locking to", latest)
	}
}

// What does not count down is recognised, costs few questions, and is seen within a second where it renews early.
func TestPhase_IsLostBehindWhatDoesNotCountDown(t *testing.T) {
	for name, test := range map[string]struct {
		cache countdown
		late  time.Duration // p50
		most  float64       // questions an entry
	}{
		"the full TTL each time":      {countdown{ttl: 30 * time.Second, busy: time.Millisecond, pool: 7, keep: true}, 3 * time.Second, 11},
		"renewed ahead of time":       {countdown{ttl: 30 * time.Second, busy: time.Millisecond, pool: 7, early: 2800 * time.Millisecond}, time.Second, 4},
		"renewed whole seconds early": {countdown{ttl: time.Minute, busy: time.Millisecond, pool: 7, early: 5 * time.Second}, time.Second, 4},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20) {
				p := pollCache(test.cache, seed, 60, 30)
				if !p.phase.unlocked() {
					t.Fatalf("seed %d: taken for one that counts down: %+v", seed, p.phase)
				}
				if p.percentile(50) > test.late {
					t.Fatalf("seed %d: p50 %s", seed, p.percentile(50))
				}
				if each := float64(p.questions) / float64(len(p.late)); each > test.most {
					t.Fatalf("seed %d: %.2f questions an entry", seed, each)
				}
			}
		})
	}
}

// A cache that is flushed, or replaced behind its address, begins somewhere else and is locked to again.
func TestPhase_IsFoundAgainAfterAFlush(t *testing.T) {
	for seed := range uint64(50) {
		c := countdown{ttl: 5 * time.Second, busy: time.Millisecond, pool: 7, flush: 40}
		p := pollCache(c, seed, 108, 46)
		if p.phase.unlocked() || p.skipped() > 0 || p.percentile(100) > 12*time.Millisecond {
			t.Fatalf("seed %d: lost %v, skipped %d of %d, latest %s", seed, p.phase.unlocked(), p.skipped(), p.entries, p.percentile(100))
		}
	}
}

// TestPhase_ReportsWhatIsLost: an authoritative server whose answers rotate, until it leaves.
func TestPhase_ReportsWhatIsLost(t *testing.T) {
	registry := prometheus.NewRegistry()
	asks := 0
	rotating := func(asked) reply {
		asks++
		return reply{text: fmt.Sprintf("www.example.com. 10 IN A 192.0.2.%d", asks)}
	}
	unlocked := func() float64 {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "fqdn_egress_resolver_questions_unlocked" {
				return f.GetMetric()[0].GetGauge().GetValue()
			}
		}
		t.Fatal("no such metric")
		return 0
	}
	o := onlyIPv4
	o.Registerer = registry
	bubble(t, o, []string{"www.example.com"}, []string{"192.0.2.53:53"}, rotating, func(w *world) {
		w.at(11 * time.Second)
		if n := unlocked(); n != 0 {
			t.Errorf("%v questions are lost after their second answer", n)
		}
		w.at(2 * time.Minute)
		if n := unlocked(); n != 1 {
			t.Errorf("%v questions are lost, want 1", n)
		}
		w.setUpstreams()
		if n := unlocked(); n != 0 {
			t.Errorf("%v questions are lost without an upstream", n)
		}
	})
}
