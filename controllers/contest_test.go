// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"
	"time"
)

func TestContestSlowsRepairsDownAndEnds(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }

	var c contest
	for i := range contestedAfter {
		if c.on || !c.nextRepair().IsZero() {
			t.Fatalf("contested after %d repairs", i)
		}
		c.repaired(at(i))
	}
	if want := at(4 + 30); !c.on || !c.nextRepair().Equal(want) {
		t.Fatalf("on=%v, next repair at %s; want contested, next at %s", c.on, c.nextRepair(), want)
	}
	c.repaired(at(34))
	if end := c.settle(at(93)); !c.on || !end.Equal(at(94)) {
		t.Errorf("settled at %s, on=%v; want still contested, end at %s", end, c.on, at(94))
	}
	if end := c.settle(at(94)); c.on || !end.IsZero() {
		t.Errorf("still contested a minute after the last repair, look again at %s", end)
	}
}

func TestContestNeedsItsRepairsWithinAMinute(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var c contest
	for i := range 20 {
		c.repaired(start.Add(time.Duration(i) * 16 * time.Second))
	}
	if c.on {
		t.Error("contested although repairs are 16 s apart")
	}
}
