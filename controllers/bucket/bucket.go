// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package bucket has a token bucket that may get into debt.
package bucket

import "time"

// Rate is how much may go at once, and how much a second after that.
type Rate struct {
	Burst, PerSecond float64
}

// Bucket is a token bucket that may get into debt: what is taken is only guessed before. The zero value is full. It is not safe for
// concurrent use.
//
//	10 at once, 2 a second
//	take 4               6 are left
//	is 9 ready?          in 1.5 s
//	take 9, give back 2  1 in debt
//	is 3 ready?          in 2 s
type Bucket struct {
	spent float64 // of the burst; more than that is debt
	at    time.Time
}

// ReadyAt returns when n can be taken without debt, or all that it ever holds if n is more; zero: now.
func (b *Bucket) ReadyAt(r Rate, n float64, now time.Time) time.Time {
	b.refill(r, now)
	lacks := b.spent + min(n, r.Burst) - r.Burst
	if lacks <= 0 {
		return time.Time{}
	}
	return now.Add(time.Duration(lacks / r.PerSecond * float64(time.Second)))
}

// Take takes n; a negative n gives back.
func (b *Bucket) Take(r Rate, n float64, now time.Time) {
	b.refill(r, now)
	b.spent = max(b.spent+n, 0)
}

// Drain takes n, or what is left if that is less: it makes no debt.
func (b *Bucket) Drain(r Rate, n float64, now time.Time) {
	b.refill(r, now)
	b.spent += max(min(n, r.Burst-b.spent), 0)
}

// Spent returns how much of the burst is taken; more than that is debt.
func (b *Bucket) Spent(r Rate, now time.Time) float64 {
	b.refill(r, now)
	return b.spent
}

// Full tells whether the bucket is as if nothing had ever been taken.
func (b *Bucket) Full(r Rate, now time.Time) bool {
	b.refill(r, now)
	return b.spent == 0
}

func (b *Bucket) refill(r Rate, now time.Time) {
	if passed := now.Sub(b.at); passed > 0 {
		b.spent = max(b.spent-passed.Seconds()*r.PerSecond, 0)
		b.at = now
	}
}
