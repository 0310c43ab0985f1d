// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"testing"
	"time"
)

func TestHealthReportsASilentUpstreamOnce(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var h health
	for _, step := range []struct {
		after time.Duration
		want  bool
	}{{0, false}, {silence - 1, false}, {silence, true}, {2 * silence, false}} {
		if got := h.failed(start.Add(step.after)); got != step.want {
			t.Errorf("failing for %s: report %t, want %t", step.after, got, step.want)
		}
	}
	if !h.answered() {
		t.Error("a reported upstream answers again, and that is not reported")
	}
	if h.answered() {
		t.Error("the recovery is reported twice")
	}
}

func TestHealthIsOfTheUpstreamNotOfOneName(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var h health
	for i := range 100 { // one name fails, another answers between
		if h.failed(start.Add(time.Duration(i) * time.Second)) {
			t.Fatalf("reported after %d s although it answers other questions", i)
		}
		if h.answered() {
			t.Fatal("recovered from nothing")
		}
	}
}
