// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/fqdn-egress/fqdn-egress/test/pause"
)

// restart measures what a crash of the controller costs with everything in place.
func (b *bench) restart(ctx context.Context) ([]figure, error) {
	var figures []figure
	err := b.during(ctx, b.ordinary(longTTL), func(t *trial) error {
		if err := t.createAll(ctx); err != nil {
			return err
		}
		if err := t.settle(ctx); err != nil {
			return err
		}
		var err error
		figures, err = t.crash(ctx)
		return err
	})
	return figures, err
}

// crash kills the controller and starts it again. It expects that the rules are watched since before the first NetworkPolicy.
func (t *trial) crash(ctx context.Context) ([]figure, error) {
	begun, err := t.audit.now()
	if err != nil {
		return nil, err
	}
	t.controller.Kill()
	t.dns.ForgetQueries()
	ready, err := t.startController(ctx)
	if err != nil {
		return nil, err
	}
	asked, err := t.allAsked(ctx)
	if err != nil {
		return nil, err
	}
	if err := pause.For(ctx, 2*quiet); err != nil {
		return nil, err
	}
	w, err := t.audit.since(begun)
	if err != nil {
		return nil, err
	}
	lost, err := t.watch.Losses()
	if err != nil {
		return nil, err
	}
	until := fmt.Sprintf("kill -9 -> %s after every name was asked", 2*quiet)
	return []figure{
		seconds("ready", ready, "process start -> /readyz said ok, asked every 5 ms"),
		seconds("asked", asked, "process start -> the first query for the last of all names and families arrived"),
		count("API writes", w.total(), until+"; "+w.String()).atMost(0),
		count("peers lost", len(lost), "first NetworkPolicy -> the same instant; by watch; "+strings.Join(lost[:min(3, len(lost))], "; ")).atMost(0),
		count("DNS queries", t.dns.Count(""), fmt.Sprintf("%s; %d names", until, t.workload.distinct())).atMost(float64(2 * t.workload.distinct())),
	}, nil
}

// allAsked waits until every name was asked for in both families, and returns how long after the start of the controller
// that was.
func (t *trial) allAsked(ctx context.Context) (time.Duration, error) {
	questions := 2 * t.workload.distinct()
	deadline := time.Now().Add(patience)
	for {
		if asked := t.dns.Asked(); asked.Questions >= questions {
			return asked.Last.Sub(t.controller.Started), nil
		}
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("not every name was asked again after %s", patience)
		}
		if err := pause.For(ctx, 100*time.Millisecond); err != nil {
			return 0, err
		}
	}
}
