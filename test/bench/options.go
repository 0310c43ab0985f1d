// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// options are the flags.
type options struct {
	chosen map[string]bool // scenarios

	policies, namesPerPolicy, names int
	memoryNames                     int
	scale                           []int           // policies, one run each
	popular                         int             // policies
	tenants                         map[string]bool // rows of the scenario tenants; none: all
	steadyFor                       time.Duration
	bothFamilies                    bool

	controller      string
	controllerFlags []string
	floorRuns       int
	json, profile   string
	svg             string
	strict          bool
	sweep           []string
	sweepRuns       int
}

func parseOptions(args []string, usage io.Writer) (*options, error) {
	o := &options{}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(usage)
	var names, usual, takes []string
	for _, s := range scenarios() {
		names, takes = append(names, s.name), append(takes, s.name+" "+s.takes)
		if s.usual {
			usual = append(usual, s.name)
		}
	}
	chosen := fs.String("scenarios", strings.Join(usual, ","), "Comma-separated scenarios, or all: "+strings.Join(takes, ", ")+".")
	fs.IntVar(&o.policies, "policies", 500, "Policies of the scenarios but memory, tenants, popular and scale.")
	scale := fs.String("scale", "100,1000,10000", "Comma-separated numbers of policies of the scenario scale.")
	fs.IntVar(&o.popular, "popular-policies", 10_000, "Policies of the scenario popular.")
	rows := fs.String("tenants", "", "Comma-separated rows of the scenario tenants; empty: all.")
	fs.StringVar(&o.svg, "svg", "", "Write a plot of the scenario scale to this file.")
	fs.IntVar(&o.namesPerPolicy, "names-per-policy", 5, "Names that each policy lists.")
	fs.IntVar(&o.names, "names", 1000, "Distinct names, spread over the policies.")
	fs.IntVar(&o.memoryNames, "memory-names", 10_000, "Distinct names of the scenario memory.")
	fs.DurationVar(&o.steadyFor, "steady-for", time.Minute, "How long the scenario steady looks.")
	fs.BoolVar(&o.bothFamilies, "move-both-families", false, "In the scenario change, move the IPv6 address too, not only the IPv4 address.")
	fs.StringVar(&o.controller, "controller", "", "A controller binary; empty: build it.")
	controllerFlags := fs.String("controller-flags", "", "Further flags of the controller, separated by spaces.")
	fs.IntVar(&o.floorRuns, "floor-runs", 2, "Measurements of the floor before, and again after, each scenario that has one.")
	fs.StringVar(&o.json, "json", "", "Also write the figures to this file, as JSON.")
	fs.StringVar(&o.profile, "profile", "", "Write CPU and heap profiles of the controller into this directory (go tool pprof).")
	fs.BoolVar(&o.strict, "strict", false, "Exit with 1 if a figure misses its aim.")
	sweep := fs.String("sweep", "", "Instead of scenarios: comma-separated values of --max-concurrent-reconciles to compare, such as 4,8,16,32,64.")
	fs.IntVar(&o.sweepRuns, "sweep-runs", 3, "Runs of each value of --sweep.")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	o.controllerFlags = strings.Fields(*controllerFlags)
	return o, errors.Join(o.choose(*chosen, names), o.readSweep(*sweep), o.readScale(*scale), o.readTenants(*rows), o.validate())
}

func (o *options) choose(list string, known []string) error {
	o.chosen = map[string]bool{}
	for _, name := range known {
		o.chosen[name] = list == "all"
	}
	if list == "all" {
		return nil
	}
	for name := range strings.SplitSeq(list, ",") {
		if _, ok := o.chosen[name]; !ok {
			return fmt.Errorf("--scenarios: %q is none of %s", name, strings.Join(known, ", "))
		}
		o.chosen[name] = true
	}
	return nil
}

func (o *options) readSweep(list string) error {
	if list == "" {
		return nil
	}
	for value := range strings.SplitSeq(list, ",") {
		if n, err := strconv.Atoi(value); err != nil || n <= 0 {
			return fmt.Errorf("--sweep: %q is not a positive number", value)
		}
		o.sweep = append(o.sweep, value)
	}
	return nil
}

func (o *options) readScale(list string) error {
	for value := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(value)
		if err != nil || n <= 0 {
			return fmt.Errorf("--scale: %q is not a positive number", value)
		}
		o.scale = append(o.scale, n)
	}
	return nil
}

func (o *options) readTenants(list string) error {
	if list == "" {
		return nil
	}
	known := map[string]bool{}
	for _, noisy := range noisyTenants() {
		known[noisy.Name] = true
	}
	o.tenants = map[string]bool{}
	for name := range strings.SplitSeq(list, ",") {
		if !known[name] {
			return fmt.Errorf("--tenants: %q is none of %s", name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
		o.tenants[name] = true
	}
	return nil
}

func (o *options) validate() error {
	for _, n := range []struct {
		flag  string
		value int
	}{
		{"policies", o.policies}, {"names-per-policy", o.namesPerPolicy}, {"names", o.names},
		{"memory-names", o.memoryNames}, {"popular-policies", o.popular}, {"floor-runs", o.floorRuns}, {"sweep-runs", o.sweepRuns},
	} {
		if n.value <= 0 {
			return fmt.Errorf("--%s: %d is not a positive number", n.flag, n.value)
		}
	}
	if o.names > o.policies*o.namesPerPolicy {
		return fmt.Errorf("--names: %d policies of %d names hold at most %d names", o.policies, o.namesPerPolicy, o.policies*o.namesPerPolicy)
	}
	if o.names < o.namesPerPolicy {
		return fmt.Errorf("--names: a policy of %d names needs as many distinct ones", o.namesPerPolicy)
	}
	return nil
}
