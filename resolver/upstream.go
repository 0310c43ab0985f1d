// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

// dnsPort is where DNS servers listen (RFC 1035 section 4.2).
const dnsPort = 53

// Upstream is one server that is asked: an address, and whether over UDP (with TCP for what does not fit) or TCP alone.
// It is comparable; the zero Upstream is none.
type Upstream struct {
	addr    netip.AddrPort
	tcp     bool
	cluster bool // a server of the cluster's DNS, whose cache serves the pods
}

// UDP returns the upstream that is asked over UDP.
func UDP(addr netip.AddrPort) Upstream { return Upstream{addr: unmapped(addr)} }

// TCP returns the upstream that is asked over TCP only.
func TCP(addr netip.AddrPort) Upstream { return Upstream{addr: unmapped(addr), tcp: true} }

// ParseUpstream reads "10.96.0.10", "10.96.0.10:53", "[fd00::a]:53", "fd00::a", and each of these after "tcp://". The
// port is 53 by default. A host name is refused: nobody could resolve it.
func ParseUpstream(s string) (Upstream, error) {
	scheme, hostPort, found := strings.Cut(s, "://")
	if !found {
		scheme, hostPort = "", s
	}
	if scheme == "tls" {
		return Upstream{}, fmt.Errorf("upstream %q: DNS over TLS is not supported yet; write host:port or tcp://host:port", s)
	}
	if scheme != "" && scheme != "tcp" && scheme != "udp" {
		return Upstream{}, fmt.Errorf("upstream %q: unknown scheme %q; write host:port or tcp://host:port", s, scheme)
	}
	addr, err := parseAddrPort(hostPort)
	if err != nil {
		return Upstream{}, fmt.Errorf("upstream %q: %w", s, err)
	}
	if scheme == "tcp" {
		return TCP(addr), nil
	}
	return UDP(addr), nil
}

func parseAddrPort(s string) (netip.AddrPort, error) {
	bare := s
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		bare = s[1 : len(s)-1]
	}
	if addr, err := netip.ParseAddr(bare); err == nil {
		s = netip.AddrPortFrom(addr, dnsPort).String()
	}
	addr, err := netip.ParseAddrPort(s)
	switch {
	case err != nil || strings.Contains(addr.Addr().Zone(), "]"):
		return addr, errors.New("write an IP address and a port, such as 10.96.0.10:53 or [fd00::a]:53")
	case addr.Port() == 0:
		return addr, errors.New("port 0 cannot be asked; DNS is port 53")
	case addr.Addr().IsUnspecified() || addr.Addr().IsMulticast():
		return addr, fmt.Errorf("%s is not the address of one server", addr.Addr())
	}
	return addr, nil
}

func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// String is the form that ParseUpstream reads, with the port: "10.96.0.10:53", "tcp://[fd00::a]:53".
func (u Upstream) String() string {
	if u.tcp {
		return "tcp://" + u.addr.String()
	}
	return u.addr.String()
}

// Source is the upstream's name in the address book.
func (u Upstream) Source() addressbook.Source { return addressbook.Source(u.String()) }

// identity is the upstream without the cluster mark.
func (u Upstream) identity() Upstream {
	u.cluster = false
	return u
}

// distinct sorts upstreams and leaves one of each source. Named twice, as one of the cluster's and on its own, it
// counts as one of the cluster's.
func distinct(us []Upstream) []Upstream {
	slices.SortFunc(us, func(a, b Upstream) int {
		if c := a.addr.Compare(b.addr); c != 0 {
			return c
		}
		return 2*(rank(a.tcp)-rank(b.tcp)) + rank(b.cluster) - rank(a.cluster)
	})
	return slices.CompactFunc(us, func(a, b Upstream) bool { return a.addr == b.addr && a.tcp == b.tcp })
}

func rank(b bool) int {
	if b {
		return 1
	}
	return 0
}
