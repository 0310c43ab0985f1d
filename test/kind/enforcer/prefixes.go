// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/netip"
	"slices"
	"strings"
)

// list writes prefixes as the elements of a set. nft refuses intervals that overlap, so what another one contains is
// left out.
func list(prefixes []netip.Prefix) string {
	sorted := make([]netip.Prefix, len(prefixes))
	for i, p := range prefixes {
		sorted[i] = p.Masked()
	}
	// The larger of two that start together comes first. Two prefixes are apart or one contains the other, so only the
	// last one kept can contain the next.
	slices.SortFunc(sorted, func(a, b netip.Prefix) int {
		if c := a.Addr().Compare(b.Addr()); c != 0 {
			return c
		}
		return a.Bits() - b.Bits()
	})
	var elements []string
	var last netip.Prefix
	for _, p := range sorted {
		if last.IsValid() && last.Contains(p.Addr()) {
			continue
		}
		last = p
		if p.IsSingleIP() {
			elements = append(elements, p.Addr().String())
		} else {
			elements = append(elements, p.String())
		}
	}
	return strings.Join(elements, ", ")
}
