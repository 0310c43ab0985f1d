// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"math"
	"net/netip"
	"time"
)

const (
	// coveringGaps is how many mean gaps between two answers with an address it is kept, to be there when it comes back. An
	// address that is drawn at random stays away for longer once in e^10 times, that is 22,000.
	coveringGaps = 10
	// leastGaps is how many it takes for an address to be there 99 times in 100.
	leastGaps = 4.6
	// certain is after how many returns a name rotates: one may be a failover that ended.
	certain = 2
	// averaged is over how many samples the rate of a rotation is averaged.
	averaged = 16
)

// rotation is what the answers to one family of a name tell of the pool that they are drawn from. There is none before an
// answer differs from the one before it.
//
// Each such answer is a sample, and its addresses are captures. How many of the known addresses were captured once and
// how many twice tells how many were never: f1 (f1 - 1) / (2 (f2 + 1)), the bias-corrected estimator of Chao (A. Chao,
// "Estimating the population size for capture-recapture data with unequal catchability", Biometrics 43, 1987). Where
// some addresses are drawn less often than others it is a lower bound. It asks for no model of the rotation: a pool that
// is handed out in turn is known when all of it came twice.
//
// What is told to others (unseen, gap) changes only with an answer that has a new address, and once when the pool is
// known, so that the rotation of a known pool changes nothing.
type rotation struct {
	captures map[netip.Addr]int // of the known addresses
	returns  int                // samples with an address that no source's last answer held, but an earlier one

	samples    int
	discovered int     // the number of samples when the last one with a new address came
	sampled    instant // when the last one came
	interval   float64 // nanoseconds between two samples, a moving average
	size       float64 // addresses of a sample, a moving average

	unseen int     // addresses that no sample held, about
	gap    float64 // nanoseconds between two samples with the same address, on average; 0: not known yet
}

// newRotation begins with addresses that were captured once.
func newRotation(known []union, f Family) *rotation {
	r := &rotation{captures: map[netip.Addr]int{}}
	for _, u := range known {
		if familyOf(u.addr) == f {
			r.captures[u.addr] = 1
		}
	}
	return r
}

// sample takes the addresses of an answer; known were those of the name before it.
func (r *rotation) sample(addrs []netip.Addr, known []union, at instant) {
	r.samples++
	fresh, returns := false, false
	for _, a := range addrs {
		r.captures[a]++
		i, ok := search(known, a)
		fresh = fresh || !ok
		returns = returns || ok && !known[i].current(at)
	}
	if returns {
		r.returns++
	}
	r.pace(len(addrs), at)
	if fresh {
		r.discovered = r.samples
		r.forget(known, addrs)
	}
	if fresh || returns && r.returns == certain || r.settles() {
		r.learn()
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

// forget drops the captures of addresses that are neither known any more nor in the answer.
func (r *rotation) forget(known []union, addrs []netip.Addr) {
	told := make(map[netip.Addr]bool, len(addrs))
	for _, a := range addrs {
		told[a] = true
	}
	for a := range r.captures {
		if !told[a] && !among(known, a) {
			delete(r.captures, a)
		}
	}
}

// counts returns how many addresses were captured once, and how many twice.
func (r *rotation) counts() (once, twice int) {
	for _, times := range r.captures {
		switch times {
		case 1:
			once++
		case 2:
			twice++
		}
	}
	return once, twice
}

// settles: all that is known came more than once, and nothing new came in as many samples as it took to find it.
func (r *rotation) settles() bool {
	if r.unseen == 0 || r.samples < 2*r.discovered {
		return false
	}
	once, _ := r.counts()
	return once == 0
}

// learn draws the conclusions.
func (r *rotation) learn() {
	once, twice := r.counts()
	r.unseen = once * (once - 1) / (2 * (twice + 1))
	r.gap = float64(len(r.captures)+r.unseen) * r.interval / r.size
}

// proven tells whether addresses come back.
func (r *rotation) proven() bool { return r != nil && r.returns >= certain }

// retention is how long to keep addresses so that they are there when they come back, at most longest. It is 0 as long as
// that is not proven.
func (r *rotation) retention(longest time.Duration) time.Duration {
	if !r.proven() {
		return 0
	}
	return time.Duration(math.Min(coveringGaps*r.gap, float64(longest)))
}

// uncovered tells why a retention and a limit of addresses do not cover the pool.
func (r *rotation) uncovered(retention time.Duration, limit int) Uncovered {
	switch {
	case len(r.captures)+r.unseen > limit:
		return TooMany
	case leastGaps*r.gap > float64(retention):
		return TooSlow
	}
	return Covered
}
