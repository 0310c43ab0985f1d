// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"net/netip"
	"testing"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

// The book is told how many upstreams each view has, so that a status can tell "nobody to ask" from "not answered yet".
func TestServe_FollowsUpstreamsAndViews(t *testing.T) {
	o := onlyIPv4
	o.ViewUpstreams = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	const half, refused = "198.51.100.1:53,203.0.113.1:53", "203.0.113.1:53"
	bubble(t, o, []string{"a.example.com", "a.example.com by " + half, "a.example.com by " + refused}, nil, alwaysGood, func(w *world) {
		w.expectServed(map[addressbook.View]int{"": 0, half: 1})
		w.setUpstreams(up1, up2)
		w.expectServed(map[addressbook.View]int{"": 2, half: 1})
		w.at(time.Second)
		w.want("a.example.com")
		w.expectServed(map[addressbook.View]int{"": 2, half: 0, refused: 0})
		w.setUpstreams()
		w.expectServed(map[addressbook.View]int{"": 0, half: 0, refused: 0})
	})
}
