// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fqdn-egress/fqdn-egress/test/e2e/traffic"
)

// TestEnforcementLag measures, and prints: from the change in DNS to the first packet through, and from the moment that the
// pod was told the new address to that packet, which is how long a connection can be blocked (to some 30 ms, the time
// after which it is tried again). 20 rotations, of four names at a time.
func TestEnforcementLag(t *testing.T) {
	const names, rotations = 4, 5
	var (
		mu         sync.Mutex
		sinceMoved []time.Duration
		sinceTold  []time.Duration
	)
	t.Run("names", func(t *testing.T) {
		for i := range names {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				moved, told := lags(t, i, rotations)
				mu.Lock()
				defer mu.Unlock()
				sinceMoved, sinceTold = append(sinceMoved, moved...), append(sinceTold, told...)
			})
		}
	})
	if len(sinceMoved) != names*rotations {
		t.Fatalf("%d of %d rotations were measured", len(sinceMoved), names*rotations)
	}
	t.Logf("%d rotations, TTL %d s:\n  DNS changed -> first packet through:  %s\n  pod told -> first packet through:     %s",
		names*rotations, ttl, percentiles(sinceMoved), percentiles(sinceTold))
}

// lags moves a name from address to address, each time when the last one is reached.
func lags(t *testing.T, number, rotations int) (sinceMoved, sinceTold []time.Duration) {
	t.Helper()
	s := newScene(t)
	www := s.domain("www")
	address := func(rotation int) string { return fmt.Sprintf("203.0.113.%d", 100+number*20+rotation) }
	s.setName(t, www, address(0))
	app := s.pod("app")
	s.apply(policy("app", "app", rule(80, www)))
	s.eventuallyAllowed(app, url(www, 80))
	flow := s.traffic(app, "-timeout=30ms", "-every=5ms", www+".", "80")
	defer flow.stop()
	for rotation := 1; rotation <= rotations; rotation++ {
		next := address(rotation)
		if err := app.blocked(t.Context(), url(next, 80)); err != nil {
			t.Fatal(err)
		}
		s.setName(t, www, next)
		moved := time.Now()
		told := flow.next(func(e traffic.Event) bool { return e.Address.String() == next })
		through := flow.next(func(e traffic.Event) bool { return e.Address.String() == next && e.Error == "" })
		sinceMoved = append(sinceMoved, through.Done.Sub(moved))
		sinceTold = append(sinceTold, through.Done.Sub(told.Told))
	}
	return sinceMoved, sinceTold
}

// percentiles are by nearest rank: of 20 values, p99 is the greatest.
func percentiles(values []time.Duration) string {
	slices.Sort(values)
	at := func(p int) time.Duration { return values[(len(values)*p+99)/100-1].Round(time.Millisecond) }
	return fmt.Sprintf("p50 %s, p99 %s", at(50), at(99))
}
