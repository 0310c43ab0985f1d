// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/dnsclient"
)

// Listed is an upstream as an UpstreamSource lists it.
type Listed struct {
	dnsclient.Upstream
	// Cluster: it is a server of the cluster's DNS, whose cache serves the pods.
	Cluster bool
}

// maxSource and maxReason bound the bytes that a message has of an upstream and of the reason: three of
// each and the words between fit into the status (1,024 bytes).
const maxSource, maxReason = 96, 160

// sourceOf is the upstream's name in the address book: its String, of which a very long one is cut.
func sourceOf(u dnsclient.Upstream) addressbook.Source {
	return addressbook.Source(shortened(u.String(), maxSource))
}

// shortened is s with at most limit bytes. What is cut off becomes a checksum, so that two that differ stay two.
func shortened(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	mark := fmt.Sprintf("...%x", sum[:4])
	return strings.ToValidUTF8(s[:limit-len(mark)], "") + mark
}

// distinct sorts upstreams and leaves one of each. Named twice, as one of the cluster's and on its own, it counts as one of
// the cluster's.
func distinct(us []Listed) []Listed {
	slices.SortFunc(us, func(a, b Listed) int {
		return cmp.Or(a.Compare(b.Upstream), boolToInt(b.Cluster)-boolToInt(a.Cluster))
	})
	return slices.CompactFunc(us, func(a, b Listed) bool { return a.Upstream == b.Upstream })
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
