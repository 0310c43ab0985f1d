// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"math"
	"sync/atomic"
	"time"
)

const (
	// coveringGaps is how many mean gaps between two answers with an address it is kept, to be there when it comes back. An
	// address that is drawn at random stays away for longer once in e^10 times, that is 22,000.
	coveringGaps = 10
	// leastGaps is how many it takes for an address to be there 99 times in 100: e^-4.6 is 0.01.
	leastGaps = 4.6
	// minReturns is after how many returns a name rotates: one may be a failover that ended.
	minReturns = 2
	// maxSamplesPerReturn is how many samples there may be for each return. More of them leave room for chance: an address
	// that others had before, in a service whose addresses are ever new.
	maxSamplesPerReturn = 20
	// averageOver is over how many samples the rate of a rotation is averaged.
	averageOver = 16
	// toleratedError is the part of a pool that an estimate may be wrong by, one in ten: to take it back would cost a write.
	toleratedError = 10
)

// rotation is an estimate of the pool that the answers to one family of a name are drawn from. There is none before an
// answer differs from the one before it.
//
// Each such answer is a sample, and its addresses are captures. How many of the captured addresses were captured once and
// how many twice tells how many were never: f1 (f1 - 1) / (2 (f2 + 1)), the bias-corrected estimator of Chao (A. Chao,
// "Estimating the population size for capture-recapture data with unequal catchability", Biometrics 43, 1987). Where
// some addresses are drawn less often than others it is a lower bound. It asks for no model of the rotation: a pool that
// is handed out in turn is known when all of it came twice. With one of four addresses in each answer, a minute apart:
//
//	answer  captured (times)       returns  f1  f2  pool                  gap
//	.1      .1 (1)                 0        1   0   1                     -
//	.2      .1 (1) .2 (1)          0        2   0   2 + 2*1/2 = 3         3 m
//	.1      .1 (2) .2 (1)          1        1   1   2 + 1*0/4 = 2         2 m
//	.3      .1 (2) .2 (1) .3 (1)   1        2   1   3 + 2*1/4 = 3         3 m
//	.2      .1 (2) .2 (2) .3 (1)   2        1   2   3: it rotates         3 m, kept for 30 m
//
// Conclusions are drawn with answers that bring an address which is not kept, as these are written anyway. Without one
// they are drawn once at the most, when all that was captured came twice and the last conclusion was wrong.
type rotation struct {
	captures captures
	cut      bool // it had to forget what it would have remembered
	returns  int  // samples with an address that was told before, but not by the last answer of any source

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

// sample feeds an answer to q that differs from the last one to the family's rotation; known is what the name had of the family
// before it. Two differing answers are no samples: one equal to the question's last answer may be the same entry of a cache, and
// one equal to another source's may come from a cache behind both. To count them would make the pool look smaller than it
// is.
func (n *name) sample(q *question, addrs []ip, known []union, at instant) {
	r := n.rare.rotations[q.family]
	if q.holds(addrs) {
		return
	}
	if n.sampled() {
		n.change().rotated = max(n.rare.rotated, q.expires, at)
	}
	if len(addrs) == 0 || r == nil && q.good == never {
		return
	}
	o := &n.view.book.options
	if r == nil {
		r = newRotation(known, &n.view.book.counts.captures, at)
		n.change().rotations[q.family] = r
	}
	n.change().rotated = max(n.rare.rotated, q.expires, at)
	if !n.othersHold(q, addrs) {
		s := n.view.book.takeScratch()
		r.sample(addrs, known, o.MaxRetention, n.captureLimit(r), s, at)
		n.view.book.putScratch(s)
	}
	n.countCaptures()
}

// captureLimit is how many captures a rotation may have: as many as a name may have addresses, but none more than now once all
// tenants that list the name have as many as they may, or the process has. Rotations that began earlier forget their oldest for
// their newest; what was concluded stays.
//
//	of 100 captures a tenant may have 25  and a rotation of its name
//	it has 20, all have 60                may have 5 more
//	it has 25                             no more
//	it has 20, all have 80                no more, but where 20 are less than an equal part of the last fifth
func (n *name) captureLimit(r *rotation) int {
	n.countCaptures()
	o, shares, room := &n.view.book.options, n.shares.all(), 0
	for i := range shares {
		s := &shares[i]
		has := s.tenant.captures.Load() + int64(n.rare.captured-s.captures)
		room = max(room, min(o.maxCaptures()-int(has), n.view.book.room(o.MaxAddresses, n.view.book.counts.captures.Load(), has)))
		if room >= o.MaxAddressesPerName {
			break
		}
	}
	return min(o.MaxAddressesPerName, len(r.captures.list)+room)
}

// countCaptures counts what the rotations remember, for the shares.
func (n *name) countCaptures() {
	captured := int32(0)
	for _, r := range n.rare.rotations {
		if r != nil {
			captured += int32(len(r.captures.list))
		}
	}
	if captured != n.rare.captured {
		n.billed, n.change().captured = true, captured
	}
}

// othersHold tells whether the last good answer of another source in service held just addrs.
func (n *name) othersHold(q *question, addrs []ip) bool {
	for i := range n.questions {
		if o := &n.questions[i]; o != q && o.family == q.family && o.live() && o.holds(addrs) {
			return true
		}
	}
	return false
}

// adapt takes over the retention that the rotation needs, at most longest.
func (n *name) adapt(longest time.Duration) {
	adapted := time.Duration(0)
	for _, r := range n.rare.rotations {
		adapted = max(adapted, r.retention(longest))
	}
	if adapted != n.rare.adapted {
		n.change().adapted = adapted
		n.retention = n.longestRetention()
		n.prunesFrom(never)
	}
}

// calm ends the rotation of a name when its last change is older than the longest retention of its owners, and forgets the captures
// when it is older than MaxRetention. No Snapshot changes by that: each owner was shown the end at its own retention already, and
// Next named it.
func (n *name) calm(at instant) {
	if n.rare.rotated.plus(n.retention) > at {
		return
	}
	for _, r := range n.rare.rotations {
		r.rest()
	}
	longest := n.view.book.options.MaxRetention
	if n.rare.rotated.plus(longest) <= at {
		n.forgetRotations()
	}
	n.adapt(longest)
}

func (n *name) forgetRotations() {
	for _, r := range n.rare.rotations {
		r.drop()
	}
	if n.sampled() {
		n.rare.rotations = [families]*rotation{}
	}
	n.countCaptures()
}

// sampled tells whether the name has samples of a pool.
func (n *name) sampled() bool { return n.rare.rotations != [families]*rotation{} }

// newRotation begins with addresses that were captured once. all counts the captures of the process.
func newRotation(known []union, all *atomic.Int64, at instant) *rotation {
	r := &rotation{captures: captures{oldest: at, all: all}}
	first := make([]capture, len(known))
	for i := range known {
		first[i] = capture{ip: known[i].ip, times: 1, last: at}
	}
	r.captures.resized(first)
	return r
}

// sample takes the addresses of an answer; known were those of the name before it. What was told longer than memory ago is
// forgotten, and at most limit captures stay.
func (r *rotation) sample(addrs []ip, known []union, memory time.Duration, limit int, s *scratch, at instant) {
	r.captures.forget(memory, at)
	r.samples++
	seen := r.captures.see(addrs, known, at)
	r.cut = r.cut && len(r.captures.list) >= limit || len(r.captures.list) > limit
	r.captures.shrink(limit, s)
	if seen.discovers {
		r.discovered = r.samples
	}
	if seen.returns {
		r.returns++
	}
	r.pace(len(addrs), at)
	if seen.unkept || r.settles() {
		r.conclude(known, addrs)
	}
}

// pace averages the rate at which addresses are told.
func (r *rotation) pace(size int, at instant) {
	if r.samples == 1 {
		r.size = float64(size)
	} else {
		weight := 1 / float64(min(r.samples-1, averageOver))
		r.size += weight * (float64(size) - r.size)
		r.interval += weight * (float64(at-r.sampled) - r.interval)
	}
	r.sampled = at
}

// settles: all that was captured came more than once, nothing new came in as many samples as it took to find it, and the
// last conclusion says otherwise.
func (r *rotation) settles() bool {
	wrong := r.returning() && (!r.proven || r.unseen*toleratedError > r.pool)
	if !wrong || r.samples < 2*r.discovered {
		return false
	}
	once, _ := r.captures.counts()
	return once == 0
}

// returning tells whether the samples show that addresses come back.
func (r *rotation) returning() bool {
	return r.returns >= minReturns && r.returns*maxSamplesPerReturn >= r.samples
}

// conclude draws the conclusions.
func (r *rotation) conclude(known []union, addrs []ip) {
	once, twice := r.captures.counts()
	captured := len(r.captures.list)
	r.proven = r.returning()
	r.pool = captured + once*(once-1)/(2*(twice+1))
	r.unseen = r.pool - captured + r.captures.outside(addrs, known)
	r.gap = float64(r.pool) * r.interval / r.size
}

// rest ends what was proven until addresses come back again. What was captured is remembered.
func (r *rotation) rest() {
	if r != nil {
		r.proven = false
	}
}

// drop forgets what was captured.
func (r *rotation) drop() {
	if r != nil {
		r.captures.resized(nil)
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
	case r.cut && len(r.captures.list) < limit: // then the estimate says little
		return Forgotten
	case r.pool > limit:
		return TooMany
	case leastGaps*r.gap > float64(retention):
		return TooSlow
	}
	return Covered
}
