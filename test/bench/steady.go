// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
	"github.com/fqdn-egress/fqdn-egress/test/pause"
)

const steadyTTL = 10 * time.Second

// steady measures what it costs to keep watch while nothing changes.
func (b *bench) steady(ctx context.Context) ([]figure, error) {
	var figures []figure
	err := b.during(ctx, b.ordinary(dnstest.TTL(steadyTTL)), func(t *trial) error {
		if err := t.createAll(ctx); err != nil {
			return err
		}
		if err := t.settle(ctx); err != nil {
			return err
		}
		var err error
		figures, err = t.watchSteady(ctx)
		return err
	})
	return figures, err
}

func (t *trial) watchSteady(ctx context.Context) ([]figure, error) {
	stopProfile := t.startProfile(ctx, "steady", t.options.steadyFor)
	begun, err := t.audit.now()
	if err != nil {
		return nil, err
	}
	cpuBefore, err := t.cpuSeconds(ctx)
	if err != nil {
		return nil, err
	}
	queriesBefore, start := t.dns.Count(""), time.Now()
	if err := pause.For(ctx, t.options.steadyFor); err != nil {
		return nil, err
	}
	queries, took := t.dns.Count("")-queriesBefore, time.Since(start)
	cpu, err := t.cpuSeconds(ctx)
	if err != nil {
		return nil, err
	}
	w, err := t.audit.since(begun)
	if err != nil {
		return nil, err
	}
	span := fmt.Sprintf("%.1f s, from %s after all policies were ready", took.Seconds(), quiet)
	rounds := took.Seconds() / steadyTTL.Seconds()
	figures := []figure{
		count("API writes", w.total(), span+"; "+w.String()).atMost(0),
		figure{Name: "CPU of the controller", Value: cpu - cpuBefore, Unit: "s", Span: span}.atMost(2 * took.Minutes()),
		count("DNS queries", queries, fmt.Sprintf("%s; %d names x 2 x %.0f", span, t.workload.distinct(), rounds)).
			atMost(float64(2*t.workload.distinct()) * rounds),
	}
	return figures, stopProfile()
}
