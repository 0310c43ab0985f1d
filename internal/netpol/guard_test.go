// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"net/netip"
	"strings"
	"testing"
)

func TestGuardAdmit(t *testing.T) {
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
		{addr: "192.0.0.192", private: everything, refused: "protocol address (192.0.0.0/24): write ipBlock {cidr: 192.0.0.192/32} if it is meant"},
		{addr: "169.254.170.23", private: everything, refused: "link-local address (cloud metadata lives there): write ipBlock {cidr: 169.254.170.23/32} if it is meant"},
		{addr: "fd00:ec2::254", private: everything, refused: "AWS"},
		{addr: "fd00:ec2::23", private: everything, refused: "AWS metadata and instance services (fd00:ec2::/32): write ipBlock {cidr: fd00:ec2::23/128} if it is meant"},
		{addr: "fd00:ec3::23", private: everything, want: "fd00:ec3::23"},
		{addr: "fd00:c1::a9fe:a9fe", private: everything, refused: "Oracle"},
		{addr: "fd00:42::42", private: everything, refused: "Scaleway"},
		{addr: "fd00:a9fe:a9fe::1", private: everything, refused: "Akamai"},
		{addr: "fd20:ce::254", private: everything, refused: "Google"},
		{addr: "10.96.0.10", private: everything, refused: "inside the cluster's own range 10.96.0.0/12: use podSelector or namespaceSelector"},
		{addr: "fd00:96::10", private: everything, refused: "inside the cluster's own range fd00:96::/108"},
		{addr: "203.0.113.65", private: everything, refused: "inside the cluster's own range"},
		// Private.
		{addr: "10.0.0.1", refused: "private address: list 10.0.0.1/32, or its network, in allowedPrivateCIDRs"},
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
		{addr: "64:ff9b::a9fe:a9fe", refused: "leads to 169.254.169.254 by NAT64: link-local address (cloud metadata lives there): write ipBlock {cidr: 64:ff9b::a9fe:a9fe/128} if it is meant"},
		{addr: "::ffff:0:8efa:4a24", want: "::ffff:0:8efa:4a24"},
		{addr: "::ffff:0:a9fe:a9fe", refused: "leads to 169.254.169.254 by SIIT: link-local"},
		{addr: "::ffff:0:a00:1", refused: "leads to 10.0.0.1 by SIIT: private address: list 10.0.0.1/32, or its network, in allowedPrivateCIDRs"},
		{addr: "2001:0:8efa:4a24::b705:b5db", want: "2001:0:8efa:4a24::b705:b5db"},
		{addr: "2001:0:8efa:4a24::5601:5601", refused: "leads to 169.254.169.254 by Teredo: link-local"}, // the client, inverted
		{addr: "2001:0:a00:1::b705:b5db", refused: "leads to 10.0.0.1 by Teredo: private"},               // the server
		{addr: "2001:1::1", want: "2001:1::1"},
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
			if _, words := g.Admit(netip.MustParseAddr(tt.addr)); len(words) > 256 {
				t.Errorf("%d bytes: %s", len(words), words)
			}
			peer, refused := g.Admit(netip.MustParseAddr(tt.addr))
			if tt.refused != "" {
				if peer.IsValid() || !strings.Contains(refused, tt.refused) {
					t.Fatalf("Admit = %v, %q; want a refusal with %q", peer, refused, tt.refused)
				}
				return
			}
			if peer.String() != tt.want || refused != "" {
				t.Fatalf("Admit = %v, %q; want %s", peer, refused, tt.want)
			}
		})
	}
}

func TestGuardRefusesTheZeroAddr(t *testing.T) {
	if peer, refused := (Guard{}).Admit(netip.Addr{}); peer.IsValid() || refused == "" {
		t.Fatalf("Admit = %v, %q; want a refusal", peer, refused)
	}
}

func prefixes(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// TestGuardUnwrapsTheNetworksOwnNAT64: with each length of RFC 6052, as in its section 2.4 (which has 192.0.2.33).
func TestGuardUnwrapsTheNetworksOwnNAT64(t *testing.T) {
	tests := []struct {
		prefix, good, metadata, private string // good leads to 192.0.2.33, private to 10.0.0.1
	}{
		{"2001:db8::/32", "2001:db8:c000:221::", "2001:db8:a9fe:a9fe::", "2001:db8:a00:1::"},
		{"2001:db8:100::/40", "2001:db8:1c0:2:21::", "2001:db8:1a9:fea9:fe::", "2001:db8:10a:0:1::"},
		{"2001:db8:122::/48", "2001:db8:122:c000:2:2100::", "2001:db8:122:a9fe:a9:fe00::", "2001:db8:122:a00:0:100::"},
		{"2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::", "2001:db8:122:3a9:fe:a9fe::", "2001:db8:122:30a:0:1::"},
		{"2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::", "2001:db8:122:344:a9:fea9:fe00::", "2001:db8:122:344:a:0:100::"},
		{"2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33", "2001:db8:122:344::169.254.169.254", "2001:db8:122:344::10.0.0.1"},
		{"fd64:ff9b::/96", "fd64:ff9b::192.0.2.33", "fd64:ff9b::169.254.169.254", "fd64:ff9b::10.0.0.1"},
		{"64:ff9b:1::/48", "64:ff9b:1:c000:2:2100::", "64:ff9b:1:a9fe:a9:fe00::", "64:ff9b:1:a00:0:100::"},
	}
	for _, tt := range tests {
		t.Run(tt.prefix, func(t *testing.T) {
			g := Guard{NAT64: prefixes("2001:db8:ffff::/72", tt.prefix)} // the first is none, and passed over
			if peer, refused := g.Admit(netip.MustParseAddr(tt.good)); refused != "" || peer != netip.MustParseAddr(tt.good) {
				t.Errorf("%s: %v, %q", tt.good, peer, refused)
			}
			for addr, want := range map[string]string{
				tt.metadata: "leads to 169.254.169.254 by NAT64 (" + tt.prefix + "): link-local",
				tt.private:  "leads to 10.0.0.1 by NAT64 (" + tt.prefix + "): private address: list 10.0.0.1/32",
			} {
				if _, refused := g.Admit(netip.MustParseAddr(addr)); !strings.Contains(refused, want) {
					t.Errorf("%s: %q, want %q", addr, refused, want)
				}
			}
			g.AllowedPrivate = prefixes("10.0.0.0/8")
			if _, refused := g.Admit(netip.MustParseAddr(tt.private)); refused != "" {
				t.Errorf("%s inside allowedPrivateCIDRs: %q", tt.private, refused)
			}
			g.Cluster = prefixes(tt.prefix)
			if _, refused := g.Admit(netip.MustParseAddr(tt.good)); !strings.Contains(refused, "own range "+tt.prefix) {
				t.Errorf("%s inside --cluster-cidrs: %q", tt.good, refused)
			}
		})
	}
}

// TestGuardReadsMappedBlocks: a block of IPv4-mapped addresses is one of IPv4, for there is no such packet.
func TestGuardReadsMappedBlocks(t *testing.T) {
	g := Guard{Cluster: prefixes("::ffff:10.1.0.0/112"), AllowedPrivate: prefixes("::ffff:10.0.0.0/104")}
	for addr, want := range map[string]string{"10.0.0.1": "", "10.1.0.1": "inside the cluster's own range", "192.168.0.1": "private"} {
		if _, refused := g.Admit(netip.MustParseAddr(addr)); !strings.HasPrefix(refused, want) || (refused == "") != (want == "") {
			t.Errorf("%s: %q, want %q", addr, refused, want)
		}
	}
}

// TestRefusalsAreBounded: the longest that can be.
func TestRefusalsAreBounded(t *testing.T) {
	g := Guard{
		NAT64:   prefixes("2001:db8:ffff:ffff:ff:ffff:ffff:0/96", "2001:db8:ffff:ffff::/64"),
		Cluster: prefixes("254.100.100.0/24", "2001:db8:ffff:ffff:ff:ffff:ffff:ffff/128"),
	}
	for _, s := range []string{"2001:db8:ffff:ffff:ff:ffff:fff0:ffff", "2001:db8:ffff:ffff:ff:ffff:a9fe:a9fe", "2001:db8:ffff:ffff:fe:64:6400:c8ff", "2001:db8:ffff:ffff:ff:ffff:ffff:ffff"} {
		if _, refused := g.Admit(netip.MustParseAddr(s)); refused == "" || len(refused) > 256 {
			t.Errorf("%s: %d bytes: %s", s, len(refused), refused)
		}
	}
}

func TestCheckNAT64(t *testing.T) {
	for prefix, want := range map[string]string{
		"64:ff9b::/96":      "",
		"2001:db8:64::/48":  "",
		"10.0.0.0/32":       "no IPv6 prefix",
		"::ffff:0.0.0.0/96": "no IPv6 prefix",
		"2001:db8:64::/72":  "a NAT64 prefix has 32, 40, 48, 56, 64 or 96",
		"2001:db8:64::1/96": "write 2001:db8:64::/96",
	} {
		err := CheckNAT64(netip.MustParsePrefix(prefix))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", prefix, err, want)
		}
	}
	if CheckNAT64(netip.Prefix{}) == nil {
		t.Error("the zero Prefix is accepted")
	}
}

// FuzzGuard looks for an address that gets through although the address that packets go to is refused.
func FuzzGuard(f *testing.F) {
	for _, s := range []string{"10.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "fe80::1", "2001:db8::1", "2001:db8:64::10.0.0.1", "2001:db8:65:a9fe:a9:fe00::", "::ffff:0:10.0.0.1", "2001:0:a00:1::5601:5601"} {
		f.Add(netip.MustParseAddr(s).AsSlice())
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, _ := netip.AddrFromSlice(raw)
		own := Guard{NAT64: prefixes("2001:db8:64::/96", "2001:db8:65::/48")}
		if peer, refused := own.Admit(a); refused == "" && len(own.embedded(peer)) > 0 {
			if _, refused := (Guard{}).Admit(own.embedded(peer)[0].addr); refused != "" {
				t.Fatalf("%v leads to %v: %s", peer, own.embedded(peer)[0].addr, refused)
			}
		}
		peer, refused := Guard{}.Admit(a)
		if len(refused) > 256 {
			t.Fatalf("Admit(%v): %d bytes", a, len(refused))
		}
		if (refused == "") != peer.IsValid() {
			t.Fatalf("Admit(%v) = %v, %q", a, peer, refused)
		}
		if refused != "" {
			return
		}
		if peer != a.Unmap() {
			t.Fatalf("Admit(%v) gives another address: %v", a, peer)
		}
		if !peer.IsGlobalUnicast() || peer.IsPrivate() || peer.IsLinkLocalUnicast() || peer.Is4In6() {
			t.Fatalf("Admit(%v) lets %v through", a, peer)
		}
	})
}
