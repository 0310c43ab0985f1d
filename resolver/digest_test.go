// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"net/netip"
	"testing"
)

func TestDigest_TellsListsApart(t *testing.T) {
	if digestOf(nil) != noAddrs {
		t.Error("no address has a digest")
	}
	seen := map[digest]bool{}
	addr := netip.MustParseAddr("192.0.2.1")
	six := netip.MustParseAddr("2001:db8::1")
	for range 1000 {
		for _, list := range [][]netip.Addr{{addr}, {addr, addr.Next()}, {six}, {six, six.Next()}, {addr, six}} {
			d := digestOf(list)
			if seen[d] {
				t.Fatalf("%v has the digest of another list", list)
			}
			if d != digestOf(append([]netip.Addr(nil), list...)) {
				t.Fatalf("%v has two digests", list)
			}
			seen[d] = true
		}
		addr, six = addr.Next(), six.Next()
	}
}
