// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import "time"

// silence is how long an upstream may give no good answer at all before that is reported.
const silence = 5 * time.Second

// health tells when an upstream as a whole stops answering, as opposed to single names, and when it answers again.
type health struct {
	failingSince time.Time // of the first failure after the last good answer; zero: none
	reported     bool
}

// failed takes note of a failure and tells whether it is time to report the upstream.
func (h *health) failed(now time.Time) (report bool) {
	if h.failingSince.IsZero() {
		h.failingSince = now
	}
	if h.reported || now.Sub(h.failingSince) < silence {
		return false
	}
	h.reported = true
	return true
}

// answered takes note of a good answer and tells whether the upstream had been reported.
func (h *health) answered() (recovered bool) {
	recovered = h.reported
	*h = health{}
	return recovered
}
