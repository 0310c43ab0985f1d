// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"fmt"
	"net/netip"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
)

// Guard says which addresses of answers may become peers. Whoever runs the zone of a listed name chooses its answers;
// the guard is what keeps such a person out of the cluster, of the nodes and of the platform's metadata services.
type Guard struct {
	// Cluster has the Service range and --cluster-cidrs: never.
	Cluster []netip.Prefix
	// AllowedPrivate has the policy's allowedPrivateCIDRs. It opens private space (RFC 1918, RFC 6598, RFC 4193) and nothing
	// else.
	AllowedPrivate []netip.Prefix
}

// Judge returns the address to write for an address of an answer, or why it is refused, in words for a person.
//
// An IPv4-mapped address is what it wraps: sockets send IPv4 packets to it, and it is written so. One that a gateway
// translates to IPv4 (NAT64, 6to4) must pass in both forms and is written as it is, for so the pod's packets carry it.
// Documentation and benchmarking ranges are ordinary.
func (g Guard) Judge(a netip.Addr) (peer netip.Addr, refused string) {
	if !a.IsValid() {
		return netip.Addr{}, "not an address"
	}
	if a.Zone() != "" {
		return netip.Addr{}, "address with a zone, which means nothing on another host"
	}
	peer = a.Unmap()
	if refused = g.judge(peer); refused != "" {
		return netip.Addr{}, refused
	}
	inner, mechanism := embeddedIPv4(peer)
	if !inner.IsValid() {
		return peer, ""
	}
	if refused = g.judge(inner); refused != "" {
		return netip.Addr{}, fmt.Sprintf("leads to %s by %s: %s", inner, mechanism, refused)
	}
	return peer, ""
}

// judge looks at one form of an address.
func (g Guard) judge(a netip.Addr) (refused string) {
	if refused = never(a); refused != "" {
		return refused
	}
	for _, p := range g.Cluster {
		if p.Contains(a) {
			return "inside the cluster's own range " + p.String()
		}
	}
	if isPrivate(a) && !anyContains(g.AllowedPrivate, a) {
		return "private address, not inside allowedPrivateCIDRs"
	}
	return ""
}

// isPrivate tells whether a is of RFC 1918, RFC 4193 (netip knows both) or RFC 6598 (100.64.0.0/10).
func isPrivate(a netip.Addr) bool {
	if a.IsPrivate() {
		return true
	}
	if !a.Is4() {
		return false
	}
	b := a.As4()
	return b[0] == 100 && b[1]&0xc0 == 64
}

// embeddedIPv4 returns the IPv4 address that a gateway takes out of a, or the zero Addr.
//
// Of the layouts that RFC 6052 has for prefixes shorter than 96 bits none is looked for in 64:ff9b:1::/48: they cannot be
// told apart, and networks that use them can put their prefix into --cluster-cidrs.
func embeddedIPv4(a netip.Addr) (inner netip.Addr, mechanism string) {
	if !a.Is6() {
		return netip.Addr{}, ""
	}
	b := a.As16()
	switch {
	case [6]byte(b[:6]) == [6]byte{0, 0x64, 0xff, 0x9b, 0, 1}: // RFC 8215, 64:ff9b:1::/48
		return netip.AddrFrom4([4]byte(b[12:])), "NAT64"
	case [12]byte(b[:12]) == [12]byte{0, 0x64, 0xff, 0x9b}: // RFC 6052, 64:ff9b::/96
		return netip.AddrFrom4([4]byte(b[12:])), "NAT64"
	case [2]byte(b[:2]) == [2]byte{0x20, 0x02}: // RFC 3056, 2002::/16
		return netip.AddrFrom4([4]byte(b[2:])), "6to4"
	}
	return netip.Addr{}, ""
}

func anyContains(prefixes []netip.Prefix, a netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// prefixesOf leaves out what is no CIDR: the CRD refuses it, and nothing must open because of it.
func prefixesOf(cidrs []v1alpha1.CIDR) []netip.Prefix {
	prefixes := make([]netip.Prefix, 0, len(cidrs))
	for _, c := range cidrs {
		if p, err := netip.ParsePrefix(string(c)); err == nil {
			prefixes = append(prefixes, p)
		}
	}
	return prefixes
}
