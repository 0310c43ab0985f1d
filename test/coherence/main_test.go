// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "testing"

func TestParseOptions(t *testing.T) {
	o, err := parseOptions([]string{"-duration", "90s", "-controller-flags", "--retention 1m"})
	if err != nil || len(o.shapes) != 8 || len(o.controllerFlags) != 2 {
		t.Errorf("%+v, %v", o, err)
	}
	for _, bad := range [][]string{{"-duration", "1m"}, {"-cache", "unbound"}, {"-lookups", "0"}, {"-shapes", "x"}, {"more"}} {
		if _, err := parseOptions(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
