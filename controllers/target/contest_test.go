// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"slices"
	"testing"
	"time"
)

func TestContestSlowsRepairsDownAndEnds(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }

	var c contest
	for i := range contestedAfter {
		if c.on() || !c.nextRepair().IsZero() {
			t.Fatalf("contested after %d repairs", i)
		}
		c.repaired("web-fqdn", at(i))
	}
	if want := at(4 + 30); !c.on() || !c.nextRepair().Equal(want) {
		t.Fatalf("on=%v, next repair at %s; want contested, next at %s", c.on(), c.nextRepair(), want)
	}
	c.repaired("web-fqdn", at(34))
	if end := c.settle(at(93)); !c.on() || !end.Equal(at(94)) {
		t.Errorf("settled at %s, on=%v; want still contested, end at %s", end, c.on(), at(94))
	}
	if end := c.settle(at(94)); c.on() || !end.IsZero() {
		t.Errorf("still contested a minute after the last repair, look again at %s", end)
	}
}

func TestContestNeedsItsRepairsWithinAMinute(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var c contest
	for i := range 20 {
		c.repaired("web-fqdn", start.Add(time.Duration(i)*16*time.Second))
	}
	if c.on() {
		t.Error("contested although repairs are 16 s apart")
	}
}

func TestContestWithWhatTheAPIServerAlters(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }

	var c contest
	c.answered("web-fqdn", "", at(0))
	if c.on() {
		t.Fatal("contested although the answer is as sent")
	}
	c.answered("web-fqdn", "egress[2] was added", at(1))
	if want := at(1 + 30); !c.on() || !c.nextRepair().Equal(want) || !c.settle(at(2)).Equal(want) {
		t.Fatalf("on=%v, next repair at %s, look again at %s; want contested, next at %s", c.on(), c.nextRepair(), c.settle(at(2)), want)
	}
	for i := range 2 * contestedAfter { // address writes that meet the same webhook
		c.repaired("web-fqdn", at(2+i))
		c.answered("web-fqdn", "egress[2] was added", at(2+i))
	}
	if want := []string{"web-fqdn: egress[2] was added"}; !slices.Equal(c.differences(), want) {
		t.Errorf("it says %q, want %q", c.differences(), want)
	}
	c.answered("web-fqdn", "", at(41))
	if end := c.settle(at(41)); c.on() || !end.IsZero() || len(c.differences()) != 0 {
		t.Errorf("an answer as sent did not end it: on=%v, look again at %s, %q", c.on(), end, c.differences())
	}
	c.answered("web-fqdn", "egress[2] was added", at(50))
	if c.asWanted(); c.on() {
		t.Error("all objects are as wanted, and it goes on")
	}
}

func TestContestOverAnObjectThatIsNotWantedAnyMore(t *testing.T) {
	var c contest
	c.answered("web-fqdn", "podSelector is {}", testNow)
	c.answered("web-fqdn-1", "podSelector is {}", testNow)
	if c.only([]string{"web-fqdn"}); !c.on() || !slices.Equal(c.differences(), []string{"web-fqdn: podSelector is {}"}) {
		t.Errorf("on=%v, it says %q", c.on(), c.differences())
	}
	if c.only(nil); c.on() {
		t.Error("no object is wanted, and it goes on")
	}
}

func TestContestWithBothLooksAgainForWhatComesFirst(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }

	var c contest
	for i := range contestedAfter {
		c.repaired("web-fqdn", at(i))
	}
	c.answered("web-fqdn-1", "podSelector is {}", at(10))
	if got, want := c.nextRepair(), at(10+30); !got.Equal(want) {
		t.Errorf("next repair at %s, want %s", got, want)
	}
	if got, want := c.settle(at(11)), at(10+30); !got.Equal(want) {
		t.Errorf("look again at %s, want %s", got, want)
	}
	c.answered("web-fqdn-1", "", at(12))
	if got, want := c.settle(at(12)), at(4+60); !c.on() || !got.Equal(want) {
		t.Errorf("on=%v, look again at %s; what somebody undoes goes on until %s", c.on(), got, want)
	}
}
