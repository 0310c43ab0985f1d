// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBlocksChanged(t *testing.T) {
	before := "to:\n- ipBlock:\n    cidr: 192.0.2.1/32\n- ipBlock:\n    cidr: 192.0.2.2/32\n"
	after := "to:\n- ipBlock:\n    cidr: 192.0.2.2/32\n- ipBlock:\n    cidr: 192.0.2.3/32\n"
	want := []string{"- cidr: 192.0.2.1/32", "+ cidr: 192.0.2.3/32"}
	if diff := cmp.Diff(want, blocksChanged(before, after)); diff != "" {
		t.Error(diff)
	}
	if got := blocksChanged(after, after); got != nil {
		t.Errorf("the same text differs in %v", got)
	}
}

func TestSectionAndWithout(t *testing.T) {
	text := "Name: web\nStatus:\n  Count: 1\n  Names:\n    a\n  State: Good\nEvents: <none>\n"
	for _, tc := range []struct{ name, got, want string }{
		{"outer", section(text, "Status:"), "Status:\n  Count: 1\n  Names:\n    a\n  State: Good\n"},
		{"inner", section(text, "Names:"), "  Names:\n    a\n"},
		{"none", section(text, "Spec:"), ""},
		{"without", without(text, "Count", "Name"), "Status:\n    a\n  State: Good\nEvents: <none>\n"},
	} {
		if diff := cmp.Diff(tc.want, tc.got); diff != "" {
			t.Errorf("%s: %s", tc.name, diff)
		}
	}
}
