// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"net/netip"
	"strings"
	"testing"
)

func TestGuardJudge(t *testing.T) {
	cluster := []netip.Prefix{netip.MustParsePrefix("10.96.0.0/12"), netip.MustParsePrefix("fd00:96::/108"), netip.MustParsePrefix("203.0.113.64/26")}
	everything := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	tests := []struct {
		addr    string
		private []netip.Prefix
		want    string // the peer
		refused string // part of the reason
	}{
		{addr: "142.250.74.36", want: "142.250.74.36"},
		{addr: "2a00:1450:400f:801::2004", want: "2a00:1450:400f:801::2004"},
		{addr: "::ffff:142.250.74.36", want: "142.250.74.36"},
		{addr: "64:ff9b::8efa:4a24", want: "64:ff9b::8efa:4a24"},
		{addr: "64:ff9b:1:fffe::8efa:4a24", want: "64:ff9b:1:fffe::8efa:4a24"},
		{addr: "2002:8efa:4a24::1", want: "2002:8efa:4a24::1"},
		// Documentation and benchmarking.
		{addr: "192.0.2.1", want: "192.0.2.1"},
		{addr: "198.51.100.1", want: "198.51.100.1"},
		{addr: "203.0.113.1", want: "203.0.113.1"},
		{addr: "198.18.0.1", want: "198.18.0.1"},
		{addr: "198.19.255.255", want: "198.19.255.255"},
		{addr: "2001:db8::1", want: "2001:db8::1"},
		// Next door to what is refused.
		{addr: "1.0.0.0", want: "1.0.0.0"},
		{addr: "126.255.255.255", want: "126.255.255.255"},
		{addr: "128.0.0.0", want: "128.0.0.0"},
		{addr: "169.253.255.255", want: "169.253.255.255"},
		{addr: "169.255.0.0", want: "169.255.0.0"},
		{addr: "223.255.255.255", want: "223.255.255.255"},
		{addr: "100.63.255.255", want: "100.63.255.255"},
		{addr: "100.128.0.0", want: "100.128.0.0"},
		{addr: "172.15.255.255", want: "172.15.255.255"},
		{addr: "172.32.0.0", want: "172.32.0.0"},
		{addr: "168.63.129.17", want: "168.63.129.17"},
		{addr: "::1:0:0", want: "::1:0:0"},
		// Never, whatever is allowed.
		{addr: "0.0.0.0", private: everything, refused: "unspecified"},
		{addr: "0.1.2.3", private: everything, refused: "0.0.0.0/8"},
		{addr: "127.0.0.1", private: everything, refused: "loopback"},
		{addr: "127.255.255.254", private: everything, refused: "loopback"},
		{addr: "169.254.169.254", private: everything, refused: "link-local address (cloud metadata lives there)"},
		{addr: "224.0.0.1", private: everything, refused: "multicast"},
		{addr: "239.255.255.255", private: everything, refused: "multicast"},
		{addr: "240.0.0.1", private: everything, refused: "reserved"},
		{addr: "255.255.255.255", private: everything, refused: "reserved"},
		{addr: "100.100.100.200", private: everything, refused: "metadata"},
		{addr: "168.63.129.16", private: everything, refused: "Azure"},
		{addr: "::", private: everything, refused: "unspecified"},
		{addr: "::1", private: everything, refused: "loopback"},
		{addr: "::8efa:4a24", private: everything, refused: "IPv4-compatible"},
		{addr: "fe80::1", private: everything, refused: "link-local"},
		{addr: "febf::1", private: everything, refused: "link-local"},
		{addr: "fec0::1", private: everything, refused: "site-local"},
		{addr: "feff::1", private: everything, refused: "site-local"},
		{addr: "ff02::1", private: everything, refused: "multicast"},
		{addr: "fd00:ec2::254", private: everything, refused: "AWS"},
		{addr: "fd20:ce::254", private: everything, refused: "Google"},
		{addr: "10.96.0.10", private: everything, refused: "inside the cluster's own range 10.96.0.0/12"},
		{addr: "fd00:96::10", private: everything, refused: "inside the cluster's own range fd00:96::/108"},
		{addr: "203.0.113.65", private: everything, refused: "inside the cluster's own range"},
		// Private.
		{addr: "10.0.0.1", refused: "private address, not inside allowedPrivateCIDRs"},
		{addr: "172.16.0.1", refused: "private"},
		{addr: "172.31.255.255", refused: "private"},
		{addr: "192.168.0.1", refused: "private"},
		{addr: "100.64.0.1", refused: "private"},
		{addr: "100.127.255.255", refused: "private"},
		{addr: "fc00::1", refused: "private"},
		{addr: "fd12:3456::1", refused: "private"},
		{addr: "10.0.0.1", private: prefixes("10.1.0.0/16"), refused: "private"},
		{addr: "10.1.0.1", private: prefixes("10.1.0.0/16"), want: "10.1.0.1"},
		{addr: "100.64.0.1", private: prefixes("100.64.0.0/10"), want: "100.64.0.1"},
		{addr: "fd12::1", private: prefixes("fd12::/16"), want: "fd12::1"},
		// Both forms are judged.
		{addr: "::ffff:10.0.0.1", refused: "private"},
		{addr: "::ffff:10.1.0.1", private: prefixes("10.1.0.0/16"), want: "10.1.0.1"},
		{addr: "::ffff:127.0.0.1", refused: "loopback"},
		{addr: "64:ff9b::a9fe:a9fe", refused: "leads to 169.254.169.254 by NAT64: link-local"},
		{addr: "64:ff9b::a00:1", refused: "leads to 10.0.0.1 by NAT64: private"},
		{addr: "64:ff9b::a01:1", private: prefixes("10.1.0.0/16"), want: "64:ff9b::a01:1"},
		{addr: "64:ff9b:1::a60:a", refused: "leads to 10.96.0.10 by NAT64: inside the cluster's own range"},
		{addr: "2002:7f00:1::1", refused: "leads to 127.0.0.1 by 6to4: loopback"},
		// No address for a peer.
		{addr: "fe80::1%eth0", refused: "zone"},
		{addr: "2001:db8::1%eth0", refused: "zone"},
	}
	for _, tt := range tests {
		t.Run(tt.addr, func(t *testing.T) {
			g := Guard{Cluster: cluster, AllowedPrivate: tt.private}
			peer, refused := g.Judge(netip.MustParseAddr(tt.addr))
			if tt.refused != "" {
				if peer.IsValid() || !strings.Contains(refused, tt.refused) {
					t.Fatalf("Judge = %v, %q; want a refusal with %q", peer, refused, tt.refused)
				}
				return
			}
			if peer.String() != tt.want || refused != "" {
				t.Fatalf("Judge = %v, %q; want %s", peer, refused, tt.want)
			}
		})
	}
}

func TestGuardRefusesTheZeroAddr(t *testing.T) {
	if peer, refused := (Guard{}).Judge(netip.Addr{}); peer.IsValid() || refused == "" {
		t.Fatalf("Judge = %v, %q; want a refusal", peer, refused)
	}
}

func prefixes(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// FuzzGuard looks for an address that gets through although the address that packets go to is refused.
func FuzzGuard(f *testing.F) {
	for _, s := range []string{"10.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "fe80::1", "2001:db8::1"} {
		f.Add(netip.MustParseAddr(s).AsSlice())
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, _ := netip.AddrFromSlice(raw)
		peer, refused := Guard{}.Judge(a)
		if (refused == "") != peer.IsValid() {
			t.Fatalf("Judge(%v) = %v, %q", a, peer, refused)
		}
		if refused != "" {
			return
		}
		if peer != a.Unmap() {
			t.Fatalf("Judge(%v) gives another address: %v", a, peer)
		}
		if !peer.IsGlobalUnicast() || peer.IsPrivate() || peer.IsLinkLocalUnicast() || peer.Is4In6() {
			t.Fatalf("Judge(%v) lets %v through", a, peer)
		}
	})
}
