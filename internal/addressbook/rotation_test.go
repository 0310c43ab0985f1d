// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// lake is a name with a pool of addresses, and a Book that is told answers drawn from it.
type lake struct {
	book   *Book
	now    time.Time
	random *rand.Rand
}

var angler = Owner{"K", "ns", "p"}

func newLake(t *testing.T, o Options, retention *time.Duration) *lake {
	t.Helper()
	l := &lake{book: New(o), now: start, random: rand.New(rand.NewPCG(1, 2))}
	l.book.Want(angler, Wants{Patterns: []fqdn.Pattern{pattern("www.example.com")}, Retention: retention}, l.now)
	l.record(Key{Name: host("www.example.com"), Family: IPv6, Source: upstream}, nil, time.Hour)
	return l
}

func (l *lake) record(k Key, addrs []netip.Addr, ttl time.Duration) {
	outcome := Good
	if len(addrs) == 0 {
		outcome = NoData
	}
	l.book.Record(k, Answer{Outcome: outcome, Addrs: addrs, TTL: ttl}, l.now)
}

// told records an answer of a source.
func (l *lake) told(s Source, ttl time.Duration, addrs ...netip.Addr) {
	l.record(Key{Name: host("www.example.com"), Source: s}, addrs, ttl)
}

func (l *lake) entry() PatternState { return l.book.Snapshot(angler, l.now).Patterns[0] }

// cast lets each source have answers of k addresses that draw takes from the pool, for so many TTLs. The sources take
// turns within the TTL.
func (l *lake) cast(ttls int, ttl time.Duration, sources []Source, draw func() []netip.Addr) {
	for range ttls {
		for _, s := range sources {
			l.told(s, ttl, draw()...)
			l.now = l.now.Add(ttl / time.Duration(len(sources)))
		}
	}
}

// drawing draws k of n without a preference.
func (l *lake) drawing(n, k int) func() []netip.Addr {
	pool := v4(0, n)
	return func() []netip.Addr {
		l.random.Shuffle(n, func(i, j int) { pool[i], pool[j] = pool[j], pool[i] })
		return slices.Clone(pool[:k])
	}
}

// TestRotation_Estimate puts the estimate to the proof on pools whose size is known: early, when a part is seen, and
// late, when all of it is.
func TestRotation_Estimate(t *testing.T) {
	for _, tt := range []struct {
		name              string
		n, k, sources     int
		ttl               time.Duration
		ttls              int
		atLeast, atMost   int // the estimate of the pool
		unseen            bool
		shortest, longest time.Duration // the retention
	}{
		{name: "all seen", n: 40, k: 4, sources: 1, ttl: 5 * time.Second, ttls: 200, atLeast: 40, atMost: 40,
			shortest: 7 * time.Minute, longest: 10 * time.Minute}, // a gap of 50 s
		{name: "all seen, three caches", n: 40, k: 4, sources: 3, ttl: 30 * time.Second, ttls: 100, atLeast: 40, atMost: 40,
			shortest: 14 * time.Minute, longest: 20 * time.Minute}, // 100 s
		{name: "half seen", n: 1024, k: 8, sources: 2, ttl: 5 * time.Second, ttls: 45, atLeast: 800, atMost: 1300, unseen: true,
			shortest: 40 * time.Minute, longest: time.Hour}, // 320 s
		{name: "a tenth seen", n: 4096, k: 8, sources: 2, ttl: 5 * time.Second, ttls: 30, atLeast: 2500, atMost: 6500, unseen: true,
			shortest: time.Hour, longest: time.Hour},
		{name: "one of six", n: 6, k: 1, sources: 1, ttl: time.Minute, ttls: 100, atLeast: 6, atMost: 6,
			shortest: 50 * time.Minute, longest: time.Hour}, // 360 s and more: a repeat is no sample
		{name: "one of two", n: 2, k: 1, sources: 1, ttl: 5 * time.Second, ttls: 100, atLeast: 2, atMost: 2,
			shortest: 5 * time.Minute, longest: 5 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLake(t, Options{MaxAddressesPerName: 10_000}, nil)
			l.cast(tt.ttls, tt.ttl, sources[:tt.sources], l.drawing(tt.n, tt.k))
			e := l.entry()
			if !e.Rotation.Rotates {
				t.Fatal("it does not rotate")
			}
			pool := len(e.Addresses) + e.Rotation.Unseen
			t.Logf("seen %d, estimated %d of %d, retention %v, %+v", len(e.Addresses), pool, tt.n, e.Retention, e.Rotation)
			if pool < tt.atLeast || pool > tt.atMost {
				t.Errorf("estimated %d, want %d to %d", pool, tt.atLeast, tt.atMost)
			}
			if (e.Rotation.Unseen > 0) != tt.unseen {
				t.Errorf("unseen %d", e.Rotation.Unseen)
			}
			if e.Retention < tt.shortest || e.Retention > tt.longest {
				t.Errorf("retention %v, want %v to %v", e.Retention, tt.shortest, tt.longest)
			}
		})
	}
}

// TestRotation_EstimateIsUnbiased: over many lakes the estimate is right on average, and a pool of which a half is drawn
// ten times as often as the rest is not overrated.
func TestRotation_EstimateIsUnbiased(t *testing.T) {
	average := func(draw func(l *lake) func() []netip.Addr) int {
		sum := 0
		for seed := range uint64(50) {
			l := newLake(t, Options{MaxAddressesPerName: 10_000}, nil)
			l.random = rand.New(rand.NewPCG(seed, 1))
			l.cast(60, 5*time.Second, sources[:1], draw(l))
			e := l.entry()
			sum += len(e.Addresses) + e.Rotation.Unseen
		}
		return sum / 50
	}
	if got := average(func(l *lake) func() []netip.Addr { return l.drawing(500, 8) }); got < 475 || got > 525 {
		t.Errorf("a pool of 500 is estimated %d", got)
	}
	uneven := average(func(l *lake) func() []netip.Addr {
		often, seldom := l.drawing(250, 8), v4(250, 250)
		return func() []netip.Addr {
			if l.random.IntN(11) > 0 {
				return often()
			}
			l.random.Shuffle(250, func(i, j int) { seldom[i], seldom[j] = seldom[j], seldom[i] })
			return slices.Clone(seldom[:8])
		}
	})
	if uneven < 250 || uneven > 525 {
		t.Errorf("an uneven pool of 500 is estimated %d", uneven)
	}
}

// TestRotation_InTurn: a pool that is handed out in turn is known when it came twice, and then there is nothing new to say
// of it.
func TestRotation_InTurn(t *testing.T) {
	l := newLake(t, Options{}, nil)
	pool, at := v4(0, 40), 0
	draw := func() []netip.Addr {
		at = (at + 4) % 40
		return pool[at : at+4]
	}
	l.cast(10, 5*time.Second, sources[:1], draw)
	if r := l.entry().Rotation; r.Rotates {
		t.Fatalf("nothing came back yet: %+v", r)
	}
	l.cast(9, 5*time.Second, sources[:1], draw)
	if r := l.entry().Rotation; r.Rotates {
		t.Fatalf("less than two rounds, and nothing to write: %+v", r)
	}
	l.cast(1, 5*time.Second, sources[:1], draw)
	e := l.entry()
	if !e.Rotation.Rotates || e.Rotation.Unseen != 0 || len(e.Addresses) != 40 {
		t.Fatalf("two rounds: %+v, %d addresses", e.Rotation, len(e.Addresses))
	}
	l.cast(1000, 5*time.Second, sources[:1], draw)
	if later := l.entry(); later.Rotation != e.Rotation || later.Retention != e.Retention {
		t.Fatalf("nothing was new, yet %+v, %v became %+v, %v", e.Rotation, e.Retention, later.Rotation, later.Retention)
	}
}

// TestRotation_KnownPoolIsCovered is what the retention is for: once the pool is known, every answer holds only addresses
// that are there, for hours, although each stays away for longer than the retention that names have otherwise.
func TestRotation_KnownPoolIsCovered(t *testing.T) {
	missing := func(retention *time.Duration) (missing int) {
		l := newLake(t, Options{}, retention)
		draw := l.drawing(6, 1)
		l.cast(120, time.Minute, sources[:1], draw)
		l.cast(600, time.Minute, sources[:1], func() []netip.Addr {
			addrs := draw()
			if !slices.ContainsFunc(l.entry().Addresses, func(a Address) bool {
				return a.Addr == addrs[0] && (a.Until.IsZero() || a.Until.After(l.now))
			}) {
				missing++
			}
			return addrs
		})
		return missing
	}
	if got := missing(nil); got > 0 {
		t.Errorf("%d of 600 answers held an address that was gone", got)
	}
	if got := missing(new(5 * time.Minute)); got < 60 {
		t.Errorf("with a fixed retention of 5m %d of 600 answers held an address that was gone; the test tells nothing", got)
	}
}

// TestRotation_None: what only moves, grows or shrinks is no rotation, and its addresses stay no longer.
func TestRotation_None(t *testing.T) {
	for name, tell := range map[string]func(l *lake){
		"ever new addresses, of which two were another's before": func(l *lake) {
			for i := range 100 {
				l.told(upstream, 5*time.Second, v4(4*i, 4)...)
				l.now = l.now.Add(5 * time.Second)
			}
			for _, first := range []int{40, 900, 60} {
				l.told(upstream, 5*time.Second, v4(first, 1)...)
				l.now = l.now.Add(5 * time.Second)
			}
		},
		"addresses that were told more than an hour ago": func(l *lake) {
			for _, first := range []int{0, 1, 2, 3, 4, 5, 6, 0, 1, 2} {
				l.told(upstream, 5*time.Second, v4(first, 1)...)
				l.now = l.now.Add(10 * time.Minute)
			}
		},
		"a single change, hours after a rotation": func(l *lake) {
			l.cast(200, 5*time.Second, sources[:1], l.drawing(40, 4))
			l.now = l.now.Add(3 * time.Hour)
			l.told(sources[0], 5*time.Second, v4(900, 1)...)
		},
		"replicas come and go": func(l *lake) {
			for _, n := range []int{1, 5, 3, 8, 2} {
				l.told(upstream, 5*time.Second, v4(900-n, n)...)
				l.now = l.now.Add(6 * time.Minute)
			}
		},
		"a failover and its end": func(l *lake) {
			for _, first := range []int{0, 10, 0} {
				l.told(upstream, 5*time.Second, v4(first, 2)...)
				l.now = l.now.Add(time.Minute)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLake(t, Options{}, nil)
			tell(l)
			if e := l.entry(); e.Rotation != (Rotation{}) || e.Retention != 5*time.Minute {
				t.Errorf("%+v, retention %v", e.Rotation, e.Retention)
			}
		})
	}
}

// TestRotation_Slow: a pool that comes round later than addresses are kept for is recognised all the same, and kept from then
// on: the address that is told next is there.
func TestRotation_Slow(t *testing.T) {
	for name, tc := range map[string]struct {
		n   int
		ttl time.Duration
	}{"8 in turn, every minute": {8, time.Minute}, "3 in turn, every ten minutes": {3, 10 * time.Minute}} {
		t.Run(name, func(t *testing.T) {
			l := newLake(t, Options{}, nil)
			missing := 0
			for i := range 20 * tc.n {
				next := v4(i%tc.n, 1)
				if i >= 3*tc.n && !slices.ContainsFunc(l.entry().Addresses, func(a Address) bool { return a.Addr == next[0] }) {
					missing++
				}
				l.told(upstream, tc.ttl, next...)
				l.now = l.now.Add(tc.ttl)
			}
			if e := l.entry(); missing > 0 || !e.Rotation.Rotates || e.Rotation.Unseen > 0 || len(e.Addresses) != tc.n {
				t.Errorf("%d answers held an address that was gone; %+v, %d addresses", missing, e.Rotation, len(e.Addresses))
			}
		})
	}
}

// TestRotation_SameCacheTwice: two sources that hand out what one cache behind them holds make no two samples. Taken for
// two, every address would seem to come back at once, and the pool to be known.
func TestRotation_SameCacheTwice(t *testing.T) {
	l := newLake(t, Options{MaxAddressesPerName: 10_000}, nil)
	draw := l.drawing(1000, 8)
	for range 60 {
		addrs := draw()
		l.told(sources[0], 5*time.Second, addrs...)
		l.now = l.now.Add(time.Millisecond)
		l.told(sources[1], 5*time.Second, addrs...)
		l.now = l.now.Add(5 * time.Second)
	}
	e := l.entry()
	if pool := len(e.Addresses) + e.Rotation.Unseen; pool < 600 || pool > 1600 {
		t.Errorf("a pool of 1000 is estimated %d", pool)
	}
}

// TestRotation_Ends: when the answers change no more, the addresses go by the adapted retention, all of them, and with the
// last the rotation ends. Next tells of it.
func TestRotation_Ends(t *testing.T) {
	l := newLake(t, Options{}, nil)
	l.cast(200, 5*time.Second, sources[:1], l.drawing(40, 4))
	rotating := l.entry()
	last := l.now.Add(-5 * time.Second)
	for l.now.Sub(last) < time.Hour {
		l.told(sources[0], 5*time.Second, v4(0, 4)...)
		s := l.book.Snapshot(angler, l.now)
		e := s.Patterns[0]
		if e.Rotation.Rotates != l.now.Before(last.Add(5*time.Second).Add(rotating.Retention)) {
			t.Fatalf("%v after the last change: %+v, retention %v", l.now.Sub(last), e.Rotation, rotating.Retention)
		}
		if !e.Rotation.Rotates {
			if len(e.Addresses) > 40 || e.Retention != 5*time.Minute {
				t.Fatalf("after the end: %d addresses, retention %v", len(e.Addresses), e.Retention)
			}
			return
		}
		if s.Next.IsZero() || s.Next.After(last.Add(5*time.Second).Add(rotating.Retention)) {
			t.Fatalf("Next is %v", s.Next)
		}
		l.now = l.now.Add(5 * time.Second)
	}
	t.Fatal("it rotates for ever")
}

// TestRotation_Terms: who sets a retention has just that, whatever the rotation needs, and is told that it is too short.
func TestRotation_Terms(t *testing.T) {
	fixed := Owner{"K", "ns", "fixed"}
	l := newLake(t, Options{}, nil)
	l.book.Want(fixed, Wants{Patterns: []fqdn.Pattern{pattern("www.example.com")}, Retention: new(30 * time.Second)}, l.now)
	l.cast(200, 5*time.Second, sources[:1], l.drawing(40, 4))
	adaptive, other := l.entry(), l.book.Snapshot(fixed, l.now).Patterns[0]
	if other.Retention != 30*time.Second || other.Rotation.Uncovered != TooSlow {
		t.Errorf("fixed: retention %v, %+v", other.Retention, other.Rotation)
	}
	if adaptive.Rotation.Uncovered != Covered || len(adaptive.Addresses) != 40 {
		t.Errorf("adaptive: %+v, %d addresses", adaptive.Rotation, len(adaptive.Addresses))
	}
	for _, a := range other.Addresses {
		if !a.Until.IsZero() && a.Until.Sub(l.now) > 35*time.Second {
			t.Errorf("%v stays %v for the owner that keeps 30s", a.Addr, a.Until.Sub(l.now))
		}
	}
	l.book.Forget(angler)
	if r := l.book.find("", pattern("www.example.com")).retention; r != 30*time.Second {
		t.Errorf("the name is kept for %v with the last adaptive owner gone", r)
	}
}

// TestRotation_Uncovered: the two ways in which a pool is too large.
func TestRotation_Uncovered(t *testing.T) {
	l := newLake(t, Options{MaxAddressesPerName: 100}, nil)
	l.cast(60, 5*time.Second, sources[:1], l.drawing(400, 8))
	if e := l.entry(); e.Rotation.Uncovered != TooMany || len(e.Addresses) > 100 {
		t.Errorf("400 of which 100 fit: %+v, %d addresses", e.Rotation, len(e.Addresses))
	}
	l = newLake(t, Options{MaxRetention: 10 * time.Minute}, nil)
	l.cast(200, time.Minute, sources[:1], l.drawing(30, 2)) // a gap of 15m
	if e := l.entry(); e.Rotation.Uncovered != TooSlow || e.Retention != 10*time.Minute {
		t.Errorf("kept for less than a gap: %+v, retention %v", e.Rotation, e.Retention)
	}
}

// TestRotation_MemoryOfTheProcess: all rotations together remember no more than MaxAddresses, however many there are.
func TestRotation_MemoryOfTheProcess(t *testing.T) {
	const all = 300
	b := New(Options{MaxAddresses: all, MaxAddressesPerName: 100})
	now := start
	ps, names := manyNames(20)
	b.Want(angler, Wants{Patterns: ps}, now)
	for round := range 50 {
		for i, n := range names {
			b.Record(Key{Name: n, Source: upstream}, Answer{Addrs: v4(100*i+round, 10), TTL: time.Second}, now)
		}
		now = now.Add(5 * time.Second)
		if got := b.Stats(); got.Captures > all || got.Addresses > all {
			t.Fatalf("round %d: %d captures, %d addresses", round, got.Captures, got.Addresses)
		}
	}
	b.Forget(angler)
	if got := b.Stats(); got.Captures != 0 {
		t.Errorf("%d captures are left", got.Captures)
	}
}
