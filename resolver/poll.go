// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import "time"

// poll decides when a question is asked again after a good answer.
type poll struct {
	phase    *phase        // of the entry
	answered time.Duration // when the answer came
	way      time.Duration // how long it was on its way
	pause    time.Duration // the least time between two questions; only a confirmation and what is overdue come sooner
}

const (
	// endPrecision is the width of an end that is not narrowed further, beside the way to the upstream: that
	// would cost questions for less than the timers of a busy process are late.
	endPrecision = 4 * time.Millisecond
	// confirmAfter is when a second answer from an entry confirms the first: those who missed together have been answered by
	// then.
	confirmAfter = 20 * time.Millisecond
)

// next is when to ask again.
//
//	the question             the entry                           is asked again
//	is steady                -                                   at the end
//	rotates                  is new, TTL 3 or more               after 20 ms: a second answer confirms the first
//	rotates                  is overdue                          after 4, 8 ... 512 ms
//	rotates                  ends in more than 4 ms + the way    when its TTL falls to a number in the middle of that: it halves it
//	rotates                  was not proven for eight entries    shortly before the end, where a TTL of 1 proves it
//	rotates, is unlocked     -                                   every second of the last tenth of the TTL
//	rotates, and is blind    -                                   every tenth of the TTL
//
// If that time has passed, or comes before the pause is over, the question is asked when the pause ends.
func (p poll) next() time.Duration {
	f := p.phase
	if f.rotates() && !f.unlocked() && f.ttl > 2*ttlStep {
		if !f.confirmed {
			return p.answered + confirmAfter
		}
		if f.overdue > 0 && f.overdue < maxOverdue {
			return p.answered + endPrecision<<(f.overdue-1)
		}
	}
	earliest := p.answered + p.pause
	return max(p.telling(earliest), earliest)
}

// telling is the next time at which an answer tells more of the end, or the end.
func (p poll) telling(earliest time.Duration) time.Duration {
	f := p.phase
	switch {
	case !f.rotates():
	case f.unlocked() && f.blind: // any time may be the end
		return max(earliest, f.end.to-f.ttl+f.ttl/10)
	case f.unlocked():
		return min(f.end.to, max(earliest, f.end.to-f.ttl/10-ttlStep))
	case f.end.width() > endPrecision+2*p.way: // the TTL falls to a number in the middle, or after it
		middle := f.end.from + f.end.width()/2
		if ticks := (middle - earliest).Truncate(ttlStep); ticks >= ttlStep {
			return middle - ticks
		}
	case f.unproven >= provenEntries || f.misfits > 0: // it falls to 1 now, if the end is sooner, or there is another entry
		if at := f.end.from - ttlStep - endPrecision - 2*p.way; at >= earliest {
			return at
		}
	}
	return f.end.to
}
