// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package when

import (
	"testing"
	"time"
)

func TestAgain(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		instants []time.Time
		want     time.Duration
	}{
		"never":                           {[]time.Time{{}, {}}, 0},
		"the earliest that is an instant": {[]time.Time{{}, now.Add(time.Hour), now.Add(time.Second)}, time.Second + time.Millisecond},
		"one that passed is at once":      {[]time.Time{now.Add(-time.Hour)}, time.Millisecond},
	} {
		if got := Again(now, tc.instants...).RequeueAfter; got != tc.want {
			t.Errorf("%s: in %s, want %s", name, got, tc.want)
		}
	}
}
