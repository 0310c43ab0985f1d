// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import "time"

const (
	// silence is how long an upstream may give no good answer before it counts as down.
	silence = 5 * time.Second
	// calm is how long it must be up again before that is said. One that comes and goes is said once.
	calm = 5 * time.Minute
	// manyFirsts is how many questions must fail for the first time, with no good answer between, for an upstream to count
	// as down while answers of it are still fresh. Fewer may be single dead names in a quiet moment.
	manyFirsts = 10
)

// health tells when an upstream as a whole stops answering, as opposed to single names or one family, and when it answers
// again. Questions that go on failing say nothing: while other answers are fresh, they are all that is asked.
//
//	questions             asked                                          down
//	A good, AAAA fails    A once a TTL, AAAA every 30 s, failing         no: A is good
//	all failed            all failing                                    after 5 s without a good answer
//	1,000 good            10 of them failed for the first time in 5 s    yes
type health struct {
	failingSince time.Time // of the first failure after the last good answer; zero: none
	firsts       int       // questions that failed for the first time since
	down         bool
	said         bool      // it was said that the upstream is down, and not yet that it is up
	upSince      time.Time // of the first good answer after it was down
}

// failed takes note of a failure: first, if the question did not fail before; good is how many other questions of the
// upstream have a good answer that is fresh. It tells whether it is time to say that the upstream is down.
func (h *health) failed(now time.Time, first bool, good int) (say bool) {
	if h.failingSince.IsZero() {
		h.failingSince = now
	}
	h.firsts += boolToInt(first)
	if h.down || now.Sub(h.failingSince) < silence || good > 0 && h.firsts < manyFirsts {
		return false
	}
	say = !h.said
	h.down, h.said = true, true
	return say
}

// answered takes note of a good answer and tells whether it is time to say that the upstream is up again.
func (h *health) answered(now time.Time) (say bool) {
	if h.down {
		h.upSince = now
	}
	h.down, h.failingSince, h.firsts = false, time.Time{}, 0
	if !h.said || now.Sub(h.upSince) < calm {
		return false
	}
	h.said = false
	return true
}
