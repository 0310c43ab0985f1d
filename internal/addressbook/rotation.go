// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"math"
	"net/netip"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// coveringGaps is how many mean gaps between two answers with an address it is kept, to be there when it comes back. An
	// address that is drawn at random stays away for longer once in e^10 times, that is 22,000.
	coveringGaps = 10
	// leastGaps is how many it takes for an address to be there 99 times in 100.
	leastGaps = 4.6
	// certain is after how many returns a name rotates: one may be a failover that ended. And seldom is how many times as many
	// samples leave room for chance: an address that others had before, in a service whose addresses are ever new.
	certain, seldom = 2, 20
	// averaged is over how many samples the rate of a rotation is averaged.
	averaged = 16
	// bearable is the part of a pool that an estimate may be wrong by: to take it back would cost a write.
	bearable = 10
)

// rotation is what the answers to one family of a name tell of the pool that they are drawn from. There is none before an
// answer differs from the one before it.
//
// Each such answer is a sample, and its addresses are captures. How many of the captured addresses were captured once and
// how many twice tells how many were never: f1 (f1 - 1) / (2 (f2 + 1)), the bias-corrected estimator of Chao (A. Chao,
// "Estimating the population size for capture-recapture data with unequal catchability", Biometrics 43, 1987). Where
// some addresses are drawn less often than others it is a lower bound. It asks for no model of the rotation: a pool that
// is handed out in turn is known when all of it came twice.
//
// Conclusions are drawn with answers that bring an address which is not kept, as these are written anyway. Without one
// they are drawn once at the most, when all that was captured came twice and the last conclusion was wrong.
type rotation struct {
	// captures outlive the addresses themselves: those that come back late are why to keep them longer. At most as many as
	// a name may have, the least recently told go first.
	captures *simplelru.LRU[netip.Addr, *capture]
	returns  int // samples with an address that was told before, but not by the last answer of any source

	samples    int
	discovered int     // the number of samples when the last one with an address came that was never captured
	sampled    instant // when the last one came
	interval   float64 // nanoseconds between two samples, a moving average
	size       float64 // addresses of a sample, a moving average

	// The conclusions.
	proven bool    // addresses come back
	pool   int     // addresses in the pool, about
	unseen int     // those of them that are not kept, about
	gap    float64 // nanoseconds between two samples with the same address, on average
}

// capture is what is remembered of one address.
type capture struct {
	times int // it was told
	last  instant
}

// newRotation begins with addresses that were captured once. limit is how many a name may have.
func newRotation(known []union, f Family, limit int, at instant) *rotation {
	captures, err := simplelru.NewLRU[netip.Addr, *capture](limit, nil)
	if err != nil {
		panic("addressbook: a limit of addresses that New lets nobody set: " + err.Error())
	}
	r := &rotation{captures: captures}
	for _, u := range known {
		if familyOf(u.addr) == f {
			r.captures.Add(u.addr, &capture{times: 1, last: at})
		}
	}
	return r
}

// sample takes the addresses of an answer; known were those of the name before it. What was told longer than memory ago is
// forgotten.
func (r *rotation) sample(addrs []netip.Addr, known []union, memory time.Duration, at instant) {
	r.forget(memory, at)
	r.samples++
	news, returns := false, false
	for _, a := range addrs {
		c, captured := r.captures.Get(a)
		if !captured {
			c = &capture{}
			r.captures.Add(a, c)
			r.discovered = r.samples
		}
		c.times, c.last = c.times+1, at
		i, kept := search(known, a)
		news = news || !kept
		returns = returns || captured && (!kept || !known[i].current(at))
	}
	if returns {
		r.returns++
	}
	r.pace(len(addrs), at)
	if news || r.settles() {
		r.conclude(known, addrs)
	}
}

func (r *rotation) forget(memory time.Duration, at instant) {
	for {
		_, c, ok := r.captures.GetOldest()
		if !ok || c.last.plus(memory) > at {
			return
		}
		r.captures.RemoveOldest()
	}
}

// pace averages the rate at which addresses are told.
func (r *rotation) pace(size int, at instant) {
	if r.samples == 1 {
		r.size = float64(size)
	} else {
		weight := 1 / float64(min(r.samples-1, averaged))
		r.size += weight * (float64(size) - r.size)
		r.interval += weight * (float64(at-r.sampled) - r.interval)
	}
	r.sampled = at
}

// settles: all that was captured came more than once, nothing new came in as many samples as it took to find it, and the
// last conclusion says otherwise.
func (r *rotation) settles() bool {
	wrong := r.returning() && (!r.proven || r.unseen*bearable > r.pool)
	if !wrong || r.samples < 2*r.discovered {
		return false
	}
	once, _ := r.counts()
	return once == 0
}

// returning tells whether the samples show that addresses come back.
func (r *rotation) returning() bool { return r.returns >= certain && r.returns*seldom >= r.samples }

// counts returns how many addresses were captured once, and how many twice.
func (r *rotation) counts() (once, twice int) {
	for _, c := range r.captures.Values() {
		switch c.times {
		case 1:
			once++
		case 2:
			twice++
		}
	}
	return once, twice
}

// conclude draws the conclusions.
func (r *rotation) conclude(known []union, addrs []netip.Addr) {
	once, twice := r.counts()
	r.proven = r.returning()
	r.pool = r.captures.Len() + once*(once-1)/(2*(twice+1))
	r.unseen = r.pool - r.captures.Len()
	told := make(map[netip.Addr]bool, len(addrs))
	for _, a := range addrs {
		told[a] = true
	}
	for _, a := range r.captures.Keys() {
		if !told[a] && !among(known, a) {
			r.unseen++
		}
	}
	r.gap = float64(r.pool) * r.interval / r.size
}

// rest ends what was proven until addresses come back again. What was captured is remembered.
func (r *rotation) rest() {
	if r != nil {
		r.proven = false
	}
}

// retention is how long to keep addresses so that they are there when they come back, at most longest. It is 0 as long as
// that is not proven.
func (r *rotation) retention(longest time.Duration) time.Duration {
	if r == nil || !r.proven {
		return 0
	}
	return time.Duration(math.Min(coveringGaps*r.gap, float64(longest)))
}

// uncovered tells why a retention and a limit of addresses do not cover the pool.
func (r *rotation) uncovered(retention time.Duration, limit int) Uncovered {
	switch {
	case r.pool > limit:
		return TooMany
	case leastGaps*r.gap > float64(retention):
		return TooSlow
	}
	return Covered
}
