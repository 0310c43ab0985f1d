// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
)

// footprint is what the controller process holds after its garbage collector ran.
type footprint struct{ heap, resident float64 } // bytes

func (t *trial) footprint(ctx context.Context) (footprint, error) {
	// What the first run finds to be garbage may be freed by finalizers only before the second.
	for range 2 {
		if err := t.collectGarbage(ctx); err != nil {
			return footprint{}, err
		}
	}
	heap, err := t.controller.Metric(ctx, "go_memstats_heap_alloc_bytes")
	if err != nil {
		return footprint{}, err
	}
	resident, err := t.controller.Metric(ctx, "process_resident_memory_bytes")
	return footprint{heap: heap, resident: resident}, err
}

// memory measures what a name costs: in policies of five, where the cached objects of the policies weigh most, and in
// policies of a hundred.
func (b *bench) memory(ctx context.Context) ([]figure, error) {
	var figures []figure
	for _, perPolicy := range []int{5, 100} {
		n := b.options.memoryNames
		w := workload{policies: (n + perPolicy - 1) / perPolicy, perPolicy: perPolicy, names: n, ttl: longTTL}
		more, err := b.memoryOf(ctx, w)
		if err != nil {
			return nil, err
		}
		figures = append(figures, more...)
	}
	return figures, nil
}

func (b *bench) memoryOf(ctx context.Context, w workload) ([]figure, error) {
	var empty, full footprint
	err := b.during(ctx, w, func(t *trial) (err error) {
		if empty, err = t.footprint(ctx); err != nil {
			return err
		}
		if err := t.createAll(ctx); err != nil {
			return err
		}
		if err := t.settle(ctx); err != nil {
			return err
		}
		if full, err = t.footprint(ctx); err != nil {
			return err
		}
		return t.heapProfile(ctx, fmt.Sprintf("memory-%d", w.perPolicy))
	}, "--max-qps", "100000") // the pace of the first answers is not what is measured
	if err != nil {
		return nil, err
	}
	names := float64(w.distinct())
	what := fmt.Sprintf("%d policies x %d names", w.policies, w.perPolicy)
	span := fmt.Sprintf("%.0f names, after garbage collection; with the cached policies and NetworkPolicies", names)
	return []figure{
		{Name: what + ": heap per name", Value: (full.heap - empty.heap) / names, Unit: "B",
			Span: span + fmt.Sprintf("; less that without policies, %.1f MB", empty.heap/1e6)},
		{Name: what + ": heap", Value: full.heap / 1e6, Unit: "MB", Span: span},
		{Name: what + ": resident", Value: full.resident / 1e6, Unit: "MB", Span: span + fmt.Sprintf("; without policies %.0f MB", empty.resident/1e6)},
		{Name: what + ": resident per name", Value: full.resident / names, Unit: "B", Span: span},
	}, nil
}
