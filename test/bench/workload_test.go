// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

func TestTTLsAreSpreadFromTheShortestToTheLongest(t *testing.T) {
	w := workload{names: 60, ttl: dnstest.TTL(5 * time.Second), longestTTL: dnstest.TTL(64 * time.Second)}
	var got []time.Duration
	for _, k := range []int{0, 1, 59} {
		got = append(got, time.Duration(w.ttlOf(k)))
	}
	if diff := cmp.Diff([]time.Duration{5 * time.Second, 6 * time.Second, 64 * time.Second}, got); diff != "" {
		t.Error(diff)
	}
	w.longestTTL = 0
	if got := w.ttlOf(59); got != w.ttl {
		t.Errorf("one TTL for all, and the last name has %s", time.Duration(got))
	}
}

func TestPoliciesAreSpreadOverNamespaces(t *testing.T) {
	w := workload{policies: 5, perPolicy: 2, names: 10, namespaces: 2}
	if got := w.policy(3); got.Namespace != "bench-001" || string(got.Spec.Egress[0].To[1].FQDN) != hostName(7) {
		t.Errorf("%+v", got)
	}
	if wants := w.wants(); len(wants) != 5 || len(wants[w.networkPolicy(3)]) != 4 {
		t.Errorf("%v", wants)
	}
	if diff := cmp.Diff([]string{"bench-000"}, workload{}.allNamespaces()); diff != "" {
		t.Error(diff)
	}
}

func TestGrowthIsShownAsATableAndAPlot(t *testing.T) {
	grown := []growth{
		{policies: 100, names: 500, converge: time.Second, plainCreate: 2 * time.Second, heap: 3 << 20, emptyHeap: 1 << 20, ready: time.Second},
		{policies: 1000, names: 5000, converge: 12 * time.Second, plainCreate: 20 * time.Second, heap: 21 << 20, emptyHeap: 1 << 20, ready: time.Second},
	}
	table := growthTable(grown)
	if !strings.Contains(table, "| 1000 | 5000 | 20.00 | 12.00 | 0.60 |") || strings.Count(table, "\n") != 4 {
		t.Error(table)
	}
	for row := range strings.Lines(table) {
		if strings.Count(row, "|") != 16 {
			t.Errorf("a row of another length: %s", row)
		}
	}
	svg := growthPlot(grown)
	for _, want := range []string{"converge, s", "heap over an empty controller, MiB", ">1000<"} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %q in %s", want, svg)
		}
	}
	if svg := growthPlot(grown[:1]); strings.Contains(svg, "circle") {
		t.Error("one point is no growth")
	}
}

func TestOptionsOfTheLargerScenarios(t *testing.T) {
	o, err := parseOptions([]string{"--scenarios", "all", "--scale", "10,20", "--tenants", "hungry,dead"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{10, 20}, o.scale); diff != "" || !o.chosen["scale"] || !o.tenants["dead"] || o.tenants["churn"] {
		t.Errorf("%s %+v", diff, o)
	}
	for _, args := range [][]string{{"--scale", "0"}, {"--tenants", "nobody"}, {"--scenarios", "nothing"}} {
		if _, err := parseOptions(args, io.Discard); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}
