// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import "time"

// interval is (from, to].
type interval struct{ from, to time.Time }

func (i interval) width() time.Duration { return i.to.Sub(i.from) }

// and is the part that is in both. It is empty if they exclude each other.
func (i interval) and(j interval) (both interval, empty bool) {
	both = interval{from: later(i.from, j.from), to: sooner(i.to, j.to)}
	return both, !both.from.Before(both.to)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func sooner(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
