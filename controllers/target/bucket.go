// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import "time"

// rate is how much may go at once, and how much a second after that.
type rate struct {
	burst, perSecond float64
}

// bucket is a token bucket that may get into debt: what is taken is only guessed before. The zero value is full.
//
//	10 at once, 2 a second
//	take 4               6 are left
//	is 9 ready?          in 1.5 s
//	take 9, give back 2  1 in debt
//	is 3 ready?          in 2 s
type bucket struct {
	spent float64 // of the burst; more than that is debt
	at    time.Time
}

// readyAt returns when n can be taken without debt, or all that it ever holds if n is more; zero: now.
func (b *bucket) readyAt(r rate, n float64, now time.Time) time.Time {
	b.refill(r, now)
	lacks := b.spent + min(n, r.burst) - r.burst
	if lacks <= 0 {
		return time.Time{}
	}
	return now.Add(time.Duration(lacks / r.perSecond * float64(time.Second)))
}

// take takes n; a negative n gives back.
func (b *bucket) take(r rate, n float64, now time.Time) {
	b.refill(r, now)
	b.spent = max(b.spent+n, 0)
}

// full tells whether the bucket is as if nothing had ever been taken.
func (b *bucket) full(r rate, now time.Time) bool {
	b.refill(r, now)
	return b.spent == 0
}

func (b *bucket) refill(r rate, now time.Time) {
	if passed := now.Sub(b.at); passed > 0 {
		b.spent = max(b.spent-passed.Seconds()*r.perSecond, 0)
		b.at = now
	}
}
