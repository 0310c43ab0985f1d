// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"fmt"
	"net/netip"
)

// Guard says which addresses of answers may become peers. Whoever runs the zone of a listed name chooses its answers;
// the guard is what keeps such a person out of the cluster, of the nodes and of the platform's metadata services.
type Guard struct {
	// Cluster has the Service range and --cluster-cidrs: never.
	Cluster []netip.Prefix
	// AllowedPrivate has the policy's allowedPrivateCIDRs. It opens private space (RFC 1918, RFC 6598, RFC 4193) and nothing
	// else.
	AllowedPrivate []netip.Prefix
	// NAT64 has the prefixes by which the network's own gateways translate to IPv4, for which CheckNAT64 has no error. What is
	// inside counts: the prefix itself may be private space. Others are passed over.
	NAT64 []netip.Prefix
}

// Admit returns the address to write for an address of an answer, or why it is refused and what to write instead, in words for
// a person, at most 256 bytes.
//
// An IPv4-mapped address is what it wraps: sockets send IPv4 packets to it, and it is written so. One that a gateway
// translates to IPv4 (NAT64, 6to4, Teredo, SIIT) must pass in both forms and is written as it is, for so the pod's packets
// carry it. Documentation and benchmarking ranges are ordinary.
func (g Guard) Admit(a netip.Addr) (peer netip.Addr, refused string) {
	if !a.IsValid() {
		return netip.Addr{}, "not an address"
	}
	if a.Zone() != "" {
		return netip.Addr{}, "address with a zone, which means nothing on another host: correct the DNS record"
	}
	peer = a.Unmap()
	inside := g.embedded(peer)
	if refused = g.screen(peer, peer, len(inside) > 0 && inside[0].own); refused != "" {
		return netip.Addr{}, refused
	}
	for _, in := range inside {
		if refused = g.screen(in.addr, peer, false); refused != "" {
			return netip.Addr{}, fmt.Sprintf("leads to %s by %s: %s", in.addr, in.mechanism, refused)
		}
	}
	return peer, ""
}

// screen looks at one form of an address; written is the form that a peer has. The prefix of an own NAT64 gateway is not
// looked at for being private.
func (g Guard) screen(a, written netip.Addr, ownNAT64 bool) (refused string) {
	if refused = unusable(a); refused != "" {
		return refused + ": correct the DNS record"
	}
	if refused = local(a); refused != "" {
		return fmt.Sprintf("%s: write ipBlock {cidr: %s} if it is meant", refused, netip.PrefixFrom(written, written.BitLen()))
	}
	for _, p := range g.Cluster {
		if contains(p, a) {
			return fmt.Sprintf("inside the cluster's own range %s: use podSelector or namespaceSelector", p)
		}
	}
	if isPrivate(a) && !ownNAT64 && !anyContains(g.AllowedPrivate, a) {
		return fmt.Sprintf("private address: list %s, or its network, in allowedPrivateCIDRs", netip.PrefixFrom(a, a.BitLen()))
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

// contains reads a block of IPv4-mapped addresses as the IPv4 block that it is.
func contains(p netip.Prefix, a netip.Addr) bool {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Contains(a)
}

func anyContains(prefixes []netip.Prefix, a netip.Addr) bool {
	for _, p := range prefixes {
		if contains(p, a) {
			return true
		}
	}
	return false
}
