// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Command coherence measures whether the rules that the controller writes agree with what pods are told: how many of the
// connections to an allowed name no NetworkPolicy allows at that moment, and how many addresses are allowed that no valid
// answer holds. DNS is on real sockets, the controller and the API server are real processes. `make coherence` runs it;
// docs/coherence.md says what the figures mean.
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
	"time"
)

// namespace holds the policies.
const namespace = "coherence"

// allShapes are the configurations of the table.
const allShapes = "6,1,60,1 40,4,5,1 40,4,5,3 40,4,30,3 64,8,5,2 256,8,5,2 1024,8,5,2 4096,8,5,2"

// options are the flags.
type options struct {
	shapes              []shape
	duration, trip      time.Duration
	lookups             int // a second, of all pods
	roundRobin          bool
	seed                uint64
	cache, corednsPath  string
	corednsCache        string
	controller          string // a binary
	controllerFlags     []string
	json, svg, keptLogs string
	strict              bool
}

func parseOptions(args []string) (*options, error) {
	o := &options{}
	fs := flag.NewFlagSet("coherence", flag.ContinueOnError)
	shapes := fs.String("shapes", allShapes, "Configurations: pool,per answer,TTL in seconds,replicas; separated by spaces.")
	fs.DurationVar(&o.duration, "duration", 4*time.Minute, "How long to look, from the start of the controller on.")
	fs.DurationVar(&o.trip, "trip", time.Millisecond, "How long the authoritative servers take to answer.")
	fs.IntVar(&o.lookups, "lookups", 400, "Lookups a second, of all pods together.")
	fs.BoolVar(&o.roundRobin, "round-robin", false, "Pools rotate in turn, not at random.")
	fs.Uint64Var(&o.seed, "seed", 1, "Of the random rotation.")
	fs.StringVar(&o.cache, "cache", "own", "The caches: own (in this process) or coredns.")
	fs.StringVar(&o.corednsPath, "coredns", "", "A CoreDNS binary; empty: build the one that the clusters of the tests have.")
	fs.StringVar(&o.corednsCache, "coredns-cache", "", "What stands in the block of CoreDNS' cache, such as 'prefetch 1 1m 10%', 'serve_stale' or 'keepttl'.")
	fs.StringVar(&o.controller, "controller", "", "A controller binary; empty: build it.")
	flags := fs.String("controller-flags", "", "Further flags of the controller, separated by spaces.")
	fs.StringVar(&o.json, "json", "", "Write the figures to this file.")
	fs.StringVar(&o.svg, "svg", "", "Write a plot of the figures to this file.")
	fs.StringVar(&o.keptLogs, "logs", "", "Keep the controller's log, and CoreDNS', in this directory.")
	fs.BoolVar(&o.strict, "strict", false, "Exit with 1 if an aim is missed.")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	o.controllerFlags = strings.Fields(*flags)
	var err error
	if o.shapes, err = parseShapes(*shapes); err != nil {
		return nil, fmt.Errorf("-shapes: %w", err)
	}
	if o.cache != "own" && o.cache != "coredns" {
		return nil, fmt.Errorf("-cache: %q is neither own nor coredns", o.cache)
	}
	if o.lookups <= 0 || o.duration <= warmup || fs.NArg() > 0 {
		return nil, fmt.Errorf("-lookups must be positive, -duration more than %s, and nothing else be there: %q", warmup, fs.Args())
	}
	return o, nil
}

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	o, err := parseOptions(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "coherence:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	results, err := measure(ctx, o)
	if err == nil {
		err = publish(results, o)
	}
	if missed := missedAims(results); err == nil && o.strict && len(missed) > 0 {
		err = fmt.Errorf("aims were missed: %s", strings.Join(missed, ", "))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "coherence:", err)
		return 1
	}
	return 0
}

// say tells on standard error what is going on; the figures go to standard output.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, "coherence: "+format+"\n", args...) }
