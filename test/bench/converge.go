// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"
)

// converge measures how long new policies take to be enforced.
func (b *bench) converge(ctx context.Context) ([]figure, error) {
	var figures []figure
	var lag time.Duration
	floor, err := b.betweenFloors(ctx, func() error {
		return b.during(ctx, b.ordinary(longTTL), func(t *trial) error {
			stopProfile := t.startProfile(ctx, "converge", convergeProfile)
			if err := t.createAll(ctx); err != nil {
				return err
			}
			lag = t.complete.Sub(t.lastCreate)
			if err := t.settle(ctx); err != nil {
				return err
			}
			var err error
			if figures, err = t.convergeCounts(ctx); err != nil {
				return err
			}
			return stopProfile()
		})
	})
	if err != nil {
		return nil, err
	}
	const span = "last create returned -> watch brought the last complete NetworkPolicy"
	times := []figure{
		seconds("lag", lag, span+"; aim by the floor of NetworkPolicies alone").atMost(0.5 + 1.5*median(floor.create).Seconds()),
		seconds("lag", lag, "the same; aim by the floor of NetworkPolicies and statuses").atMost(0.5 + 1.5*median(floor.createBoth).Seconds()),
	}
	return append(append(floor.figures(), times...), figures...), nil
}

// convergeProfile is how long the controller is profiled from the first create on.
const convergeProfile = 8 * time.Second

// convergeCounts is called when nothing happens any more.
func (t *trial) convergeCounts(ctx context.Context) ([]figure, error) {
	w, err := t.audit.since(t.begun)
	if err != nil {
		return nil, err
	}
	cpu, err := t.cpuSeconds(ctx)
	if err != nil {
		return nil, err
	}
	// Both instants are of this machine's wall clock.
	statuses := max(w.last.Sub(t.lastCreate.Round(0)), 0)
	return []figure{
		seconds("lag of the last write", statuses, "last create returned -> the API server answered the controller's last write (audit log)"),
		count("DNS queries", t.dns.Count(""), fmt.Sprintf("first create -> all policies ready and %s more; %d names", quiet, t.workload.distinct())).
			atMost(float64(2 * t.workload.distinct())),
		count("API writes", w.total(), "the same time; "+w.String()).atMost(float64(2 * t.workload.policies)),
		{Name: "CPU of the controller", Value: cpu, Unit: "s", Span: "process start -> the same instant"},
	}, nil
}
