// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
)

func TestSVG(t *testing.T) {
	r := result{shape: shape{Pool: 40, PerAnswer: 4, TTL: 5, Replicas: 3}}
	r.After = counts{Lookups: 1000, Missed: [connects]int{10}, MissedLate: [connects]int{100}}
	got := svg([]result{r, {shape: shape{Pool: 4096, PerAnswer: 8, TTL: 5, Replicas: 2}}})
	for _, want := range []string{"40, 4, 5 s, 3", "4096, 8, 5 s, 2", ">1 %<", ">10 %<", ">none<", "aim at once"} {
		if !strings.Contains(got, want) {
			t.Errorf("there is no %q in %s", want, got)
		}
	}
}
