// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"strconv"
	"strings"
)

// Sum adds up the samples of a metric on a page in the Prometheus text format, as [Process.Metric] does.
func Sum(page, name string, labels ...string) (float64, error) {
	total, found := 0.0, false
	for line := range strings.Lines(page) {
		series, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		base, _, _ := strings.Cut(series, "{")
		if !ok || base != name || !containsAll(series, labels) {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, fmt.Errorf("metric %s: %w", series, err)
		}
		total, found = total+v, true
	}
	if !found {
		return 0, fmt.Errorf("no sample of metric %s with %q", name, labels)
	}
	return total, nil
}

func containsAll(s string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(s, part) {
			return false
		}
	}
	return true
}
