// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Command bench measures the controller binary against a real kube-apiserver and etcd, and DNS over sockets, all on this
// machine. `make bench` runs it; `go run ./test/bench --help` lists what can be chosen.
//
// How long the API server takes for the writes of a scenario decides most of what is measured, and differs between
// machines and minutes. So each such scenario is given between two measurements of the floor: the time that the same API
// server takes for the same writes from a plain client.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	o, err := parseOptions(args, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := measure(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return 0
}

// measure runs what was chosen, prints each scenario when it is done, and writes the figures of all of them to a file.
func measure(ctx context.Context, o *options) (err error) {
	b, err := newBench(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	if len(o.sweep) > 0 {
		return b.sweep(ctx)
	}
	for _, s := range scenarios() {
		if !o.chosen[s.name] {
			continue
		}
		if err := b.run(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if err := b.publish(); err != nil {
		return err
	}
	if missed := b.report.missed(); o.strict && len(missed) > 0 {
		err = errors.Join(err, fmt.Errorf("aims were missed: %s", strings.Join(missed, ", ")))
	}
	return err
}

// scenario measures one thing from an empty cluster and leaves an empty cluster.
type scenario struct {
	name  string
	usual bool   // one of those that run unless others are chosen
	takes string // how long, on two cores
	run   func(*bench, context.Context) ([]figure, error)
}

// scenarios returns all, in the order in which they run.
func scenarios() []scenario {
	return []scenario{
		{"converge", true, "2 min", (*bench).converge},
		{"steady", true, "2 min", (*bench).steady},
		{"change", true, "2 min", (*bench).change},
		{"restart", true, "1 min", (*bench).restart},
		{"memory", true, "2 min", (*bench).memory},
		{"tenants", true, "6 min", (*bench).tenants},
		{"restless", false, "2 min", (*bench).restless},
		{"popular", false, "5 min", (*bench).popular},
		{"scale", false, "12 min", (*bench).scale},
	}
}

func (b *bench) run(ctx context.Context, s scenario) error {
	b.say("%s ...", s.name)
	before := loadAverage()
	figures, err := s.run(b, ctx)
	if err != nil && len(figures) == 0 {
		return err
	}
	return errors.Join(b.report.print(s.name, figures, before, loadAverage()), err)
}
