// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"math"
	"sync/atomic"
	"time"
)

// instant is a time as nanoseconds since the book's first one: a third of a time.Time, ordered by <, and true to the
// monotonic clock, so that a step of the wall clock ages nothing. It reaches 292 years either way and saturates there.
type instant int64

const (
	// never is no instant: before all others. Whatever is added to it, it stays.
	never instant = math.MinInt64
	// forever is after all others.
	forever instant = math.MaxInt64
)

// plus adds d, which is not negative. A TTL of 2^32-1 seconds (136 years) and a retention fit; more saturates.
func (i instant) plus(d time.Duration) instant {
	switch {
	case i == never:
		return never
	case i > 0 && time.Duration(forever-i) <= d:
		return forever
	}
	return i + instant(d)
}

// epoch turns times into instants and back. The first time it sees is instant 0. It is safe for concurrent use.
type epoch struct{ start atomic.Pointer[time.Time] }

func (e *epoch) instant(t time.Time) instant {
	start := e.start.Load()
	if start == nil {
		start = e.begin(t)
	}
	return min(max(instant(t.Sub(*start)), never+1), forever-1)
}

func (e *epoch) begin(t time.Time) *time.Time {
	e.start.CompareAndSwap(nil, &t)
	return e.start.Load()
}

// time is the zero Time for never and forever.
func (e *epoch) time(i instant) time.Time {
	if i == never || i == forever {
		return time.Time{}
	}
	return e.start.Load().Add(time.Duration(i))
}
