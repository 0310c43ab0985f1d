// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"fmt"
	"net/netip"
)

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

// unusable says why no host outside the pod can have an address, or "". See IANA's special-purpose address registries
// (RFC 6890) for the blocks.
func unusable(a netip.Addr) (refused string) {
	switch {
	case a.IsUnspecified(): // many systems send it to the pod itself; DNS filters answer so
		return "unspecified address"
	case a.IsLoopback():
		return "loopback address"
	case a.Is4() && a.As4()[0] == 0:
		return "address of this network (0.0.0.0/8)"
	case a.Is4() && a.As4()[0] >= 240:
		return "reserved address (240.0.0.0/4)"
	case a.Is6():
		if b := a.As16(); [12]byte(b[:12]) == [12]byte{} { // ::/96, RFC 4291 section 2.5.5.1
			return "IPv4-compatible address"
		}
	}
	return ""
}

// local says why an address leads somewhere near the pod where no answer of DNS may send it, whatever the policy allows, or
// "".
func local(a netip.Addr) (refused string) {
	switch {
	case a.IsLinkLocalUnicast():
		return "link-local address (cloud metadata lives there)"
	case a.IsMulticast():
		return "multicast address"
	case a.Is4():
		return local4(a.As4())
	default:
		return local6(a.As16())
	}
}

func local4(b [4]byte) (refused string) {
	switch {
	case b == [4]byte{100, 100, 100, 200}: // inside 100.64.0.0/10, which allowedPrivateCIDRs may open
		return "Alibaba Cloud metadata service"
	case b == [4]byte{168, 63, 129, 16}: // public space, routed inside Azure only
		return "Azure platform service (WireServer)"
	case [3]byte(b[:3]) == [3]byte{192, 0, 0}: // RFC 6890; Oracle Cloud had its metadata at 192.0.0.192
		return "protocol address (192.0.0.0/24)"
	}
	return ""
}

// local6 knows the services of platforms that are inside fc00::/7, which allowedPrivateCIDRs may open.
func local6(b [16]byte) (refused string) {
	switch {
	case b[0] == 0xfe && b[1]&0xc0 == 0xc0: // fec0::/10, RFC 3879
		return "site-local address"
	case [4]byte(b[:4]) == [4]byte{0xfd, 0, 0x0e, 0xc2}: // fd00:ec2::/32: metadata at ::254, Pod Identity of EKS at ::23
		return "AWS metadata and instance services (fd00:ec2::/32)"
	case b == [16]byte{0: 0xfd, 1: 0x20, 3: 0xce, 14: 0x02, 15: 0x54}: // fd20:ce::254
		return "Google Cloud metadata service"
	case b == [16]byte{0: 0xfd, 3: 0xc1, 12: 0xa9, 13: 0xfe, 14: 0xa9, 15: 0xfe}: // fd00:c1::a9fe:a9fe
		return "Oracle Cloud metadata service"
	case b == [16]byte{0: 0xfd, 3: 0x42, 15: 0x42}: // fd00:42::42
		return "Scaleway metadata service"
	case b == [16]byte{0: 0xfd, 2: 0xa9, 3: 0xfe, 4: 0xa9, 5: 0xfe, 15: 0x01}: // fd00:a9fe:a9fe::1
		return "Akamai (Linode) metadata service"
	}
	return ""
}
