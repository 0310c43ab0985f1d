// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// sweepTimes are the times of one value, one entry a run or a move.
type sweepTimes struct{ converge, p50, max []time.Duration }

// sweep compares values of --max-concurrent-reconciles. The values take turns, so that a busy minute hits all of them.
func (b *bench) sweep(ctx context.Context) error {
	times := map[string]*sweepTimes{}
	for _, value := range b.options.sweep {
		times[value] = &sweepTimes{}
	}
	floor, err := b.betweenFloors(ctx, func() error {
		for run := 1; run <= b.options.sweepRuns; run++ {
			for _, value := range b.options.sweep {
				b.say("run %d: --max-concurrent-reconciles %s (load average: %s)", run, value, loadAverage())
				if err := b.sweepOnce(ctx, value, times[value]); err != nil {
					return fmt.Errorf("--max-concurrent-reconciles %s: %w", value, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return b.printSweep(floor, times)
}

func (b *bench) sweepOnce(ctx context.Context, value string, times *sweepTimes) error {
	flags := []string{"--max-concurrent-reconciles", value}
	err := b.during(ctx, b.ordinary(longTTL), func(t *trial) error {
		if err := t.createAll(ctx); err != nil {
			return err
		}
		times.converge = append(times.converge, t.complete.Sub(t.lastCreate))
		return nil
	}, flags...)
	if err != nil {
		return err
	}
	all, err := b.changes(ctx, false, flags...)
	for _, m := range all {
		times.p50, times.max = append(times.p50, m.p50()), append(times.max, m.max())
	}
	return err
}

func (b *bench) printSweep(f *floor, times map[string]*sweepTimes) error {
	table := tabwriter.NewWriter(b.report.out, 0, 0, 2, ' ', 0)
	rows := []string{"max-concurrent-reconciles\tconverge lag\tchange p50\tchange max"}
	for _, value := range b.options.sweep {
		t := times[value]
		rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s", value, spread(t.converge), spread(t.p50), spread(t.max)))
	}
	for _, row := range rows {
		if _, err := fmt.Fprintln(table, row); err != nil {
			return err
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return b.report.print("floor", f.figures(), "not noted", loadAverage())
}

// spread is the median and all times, sorted.
func spread(of []time.Duration) string {
	var all []string
	for _, d := range slices.Sorted(slices.Values(of)) {
		all = append(all, fmt.Sprintf("%.2f", d.Seconds()))
	}
	return fmt.Sprintf("%.3f s (%s)", median(of).Seconds(), strings.Join(all, " "))
}
