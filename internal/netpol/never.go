// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import "net/netip"

// never says why an address may be a peer under no setting, or "". See IANA's special-purpose address registries
// (RFC 6890) for the blocks.
func never(a netip.Addr) (refused string) {
	switch {
	case a.IsUnspecified():
		return "unspecified address (many systems send it to the pod itself)"
	case a.IsLoopback():
		return "loopback address"
	case a.IsLinkLocalUnicast():
		return "link-local address (cloud metadata lives there)"
	case a.IsMulticast():
		return "multicast address"
	case a.Is4():
		return never4(a.As4())
	default:
		return never6(a.As16())
	}
}

func never4(b [4]byte) (refused string) {
	switch {
	case b[0] == 0:
		return "address of this network (0.0.0.0/8)"
	case b[0] >= 240:
		return "reserved address (240.0.0.0/4)"
	case b == [4]byte{100, 100, 100, 200}: // inside 100.64.0.0/10, which allowedPrivateCIDRs may open
		return "Alibaba Cloud metadata service"
	case b == [4]byte{168, 63, 129, 16}: // public space, routed inside Azure only
		return "Azure platform service (WireServer)"
	}
	return ""
}

func never6(b [16]byte) (refused string) {
	switch {
	case b[0] == 0xfe && b[1]&0xc0 == 0xc0: // fec0::/10, RFC 3879
		return "site-local address"
	case [12]byte(b[:12]) == [12]byte{}: // ::/96, RFC 4291 section 2.5.5.1
		return "IPv4-compatible address"
	case b == [16]byte{0: 0xfd, 2: 0x0e, 3: 0xc2, 14: 0x02, 15: 0x54}: // fd00:ec2::254, inside fc00::/7 as the next
		return "AWS metadata service"
	case b == [16]byte{0: 0xfd, 1: 0x20, 3: 0xce, 14: 0x02, 15: 0x54}: // fd20:ce::254
		return "Google Cloud metadata service"
	}
	return ""
}
