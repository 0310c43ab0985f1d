// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"fmt"
	"net/netip"
)

// embedded is an IPv4 address that a gateway takes out of an IPv6 address.
type embedded struct {
	addr      netip.Addr
	mechanism string
	own       bool // by one of Guard.NAT64
}

// CheckNAT64 returns an error, which says what to write instead, if p is no prefix by which a gateway translates to IPv4:
// IPv6, with one of the lengths of RFC 6052 section 2.2.
func CheckNAT64(p netip.Prefix) error {
	switch {
	case !p.IsValid() || !p.Addr().Is6() || p.Addr().Is4In6():
		return fmt.Errorf("%s is no IPv6 prefix: write one such as 2001:db8:64::/96", p)
	case offsets(p.Bits()) == nil:
		return fmt.Errorf("%s has %d bits: a NAT64 prefix has 32, 40, 48, 56, 64 or 96", p, p.Bits())
	case p.Masked() != p:
		return fmt.Errorf("%s has bits beyond its length: write %s", p, p.Masked())
	}
	return nil
}

// embedded returns the IPv4 addresses that packets to a may reach: those of the network's own prefixes, which come before
// the well-known ones.
func (g Guard) embedded(a netip.Addr) []embedded {
	if !a.Is6() {
		return nil
	}
	var inside []embedded
	for _, p := range g.NAT64 {
		if at := offsets(p.Bits()); at != nil && p.Contains(a) {
			inside = append(inside, embedded{ipv4At(a, at), "NAT64 (" + p.String() + ")", true})
		}
	}
	if inside != nil {
		return inside
	}
	return wellKnown(a)
}

// offsets returns where a prefix of so many bits has the four bytes of the IPv4 address: RFC 6052 section 2.2. Byte 8 stays
// out of use. nil: no such length.
func offsets(bits int) []int {
	switch bits {
	case 32:
		return []int{4, 5, 6, 7}
	case 40:
		return []int{5, 6, 7, 9}
	case 48:
		return []int{6, 7, 9, 10}
	case 56:
		return []int{7, 9, 10, 11}
	case 64:
		return []int{9, 10, 11, 12}
	case 96:
		return []int{12, 13, 14, 15}
	}
	return nil
}

func ipv4At(a netip.Addr, at []int) netip.Addr {
	b := a.As16()
	return netip.AddrFrom4([4]byte{b[at[0]], b[at[1]], b[at[2]], b[at[3]]})
}

// wellKnown knows the forms that mean the same on every network.
//
// Of the layouts that RFC 6052 has for prefixes shorter than 96 bits none is looked for in 64:ff9b:1::/48: they cannot be
// told apart, and a network that uses one says so (Guard.NAT64).
func wellKnown(a netip.Addr) []embedded {
	b := a.As16()
	last := ipv4At(a, offsets(96))
	switch {
	case [6]byte(b[:6]) == [6]byte{0, 0x64, 0xff, 0x9b, 0, 1}: // RFC 8215, 64:ff9b:1::/48
		return []embedded{{addr: last, mechanism: "NAT64"}}
	case [12]byte(b[:12]) == [12]byte{0, 0x64, 0xff, 0x9b}: // RFC 6052, 64:ff9b::/96
		return []embedded{{addr: last, mechanism: "NAT64"}}
	case [12]byte(b[:12]) == [12]byte{8: 0xff, 9: 0xff}: // RFC 2765 section 2.1, ::ffff:0:0:0/96
		return []embedded{{addr: last, mechanism: "SIIT"}}
	case [2]byte(b[:2]) == [2]byte{0x20, 0x02}: // RFC 3056, 2002::/16
		return []embedded{{addr: ipv4At(a, []int{2, 3, 4, 5}), mechanism: "6to4"}}
	case [4]byte(b[:4]) == [4]byte{0x20, 0x01}: // RFC 4380 section 4, 2001::/32: the server, and the client inverted
		client := netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]})
		return []embedded{{addr: client, mechanism: "Teredo"}, {addr: ipv4At(a, offsets(32)), mechanism: "Teredo"}}
	}
	return nil
}
