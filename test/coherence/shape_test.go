// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseShapes(t *testing.T) {
	got, err := parseShapes("6,1,60,1  4096,8,5,2")
	if diff := cmp.Diff([]shape{{6, 1, 60, 1}, {4096, 8, 5, 2}}, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	for _, bad := range []string{"", "6,1,60", "6,1,60,0", "a,1,60,1", "4097,8,5,2", "6,1,60,1 6,1,60,1"} {
		if got, err := parseShapes(bad); err == nil {
			t.Errorf("%q was read as %v", bad, got)
		}
	}
}

func TestAddressesAreDistinct(t *testing.T) {
	seen, block := map[string]bool{}, netip.MustParsePrefix("198.18.0.0/15")
	for i := range 16 {
		for _, addr := range (shape{Pool: maxPool}).addresses(i) {
			if seen[addr] || !block.Contains(netip.MustParseAddr(addr)) {
				t.Fatalf("%s of configuration %d", addr, i)
			}
			seen[addr] = true
		}
	}
}
