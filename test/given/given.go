// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package given turns text into the values that tests are given. It stops the test that has text which is none.
package given

import (
	"net/netip"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// Test is a *testing.T, a *testing.B or a *rapid.T.
type Test interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Name returns the name that s spells.
func Name(t Test, s string) fqdn.Name {
	t.Helper()
	name, err := fqdn.ParseName(s)
	if err != nil {
		t.Fatalf("ParseName(%q): %v", s, err)
	}
	return name
}

// Pattern returns the name or wildcard that s spells.
func Pattern(t Test, s string) fqdn.Pattern {
	t.Helper()
	p, err := fqdn.ParsePattern(s)
	if err != nil {
		t.Fatalf("ParsePattern(%q): %v", s, err)
	}
	return p
}

// Addrs returns the addresses that ss spell, in their order; nil for none. It panics on text that is no address.
func Addrs(ss ...string) []netip.Addr {
	var addrs []netip.Addr
	for _, s := range ss {
		addrs = append(addrs, netip.MustParseAddr(s))
	}
	return addrs
}
