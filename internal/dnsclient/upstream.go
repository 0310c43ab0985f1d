// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsclient

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// Where servers listen: for DNS over UDP and TCP (RFC 1035 section 4.2) and for DNS over TLS (RFC 7858 section 3.1).
const (
	Port    = 53
	tlsPort = 853
)

// transport is how an upstream is asked.
type transport uint8

const (
	viaUDP transport = iota // and over TCP what does not fit
	viaTCP
	viaTLS // never another way: it would tell what is asked, and believe what anybody answers
)

// Upstream is one server that is asked: an address, and whether over UDP (with TCP for what does not fit), TCP or TLS
// alone. It is comparable; the zero Upstream is none.
type Upstream struct {
	addr      netip.AddrPort
	transport transport
	name      fqdn.Name // over TLS: whom the certificate must be for; zero: the address
}

// UDP returns the upstream that is asked over UDP.
func UDP(addr netip.AddrPort) Upstream { return Upstream{addr: unmapped(addr)} }

// TCP returns the upstream that is asked over TCP only.
func TCP(addr netip.AddrPort) Upstream { return Upstream{addr: unmapped(addr), transport: viaTCP} }

// TLS returns the upstream that is asked over TLS only (RFC 7858). Its certificate must be for name, the authentication
// domain name of RFC 8310; for its IP address if name is the zero Name.
func TLS(addr netip.AddrPort, name fqdn.Name) Upstream {
	return Upstream{addr: unmapped(addr), transport: viaTLS, name: name}
}

const howToWrite = "write host:port, tcp://host:port or tls://host:port#name"

// ParseUpstream reads "10.96.0.10", "10.96.0.10:53", "[fd00::a]:53", "fd00::a", and each of these after "tcp://" or
// "tls://". The port is 53 by default, over TLS 853. After "tls://" and the address may come "#" and the name that the
// certificate must be for: "tls://9.9.9.9:853#dns.quad9.net". A host name as the address is refused: nobody could resolve it.
//
// An error says what to write instead; it does not repeat s.
func ParseUpstream(s string) (u Upstream, err error) {
	scheme, rest, found := strings.Cut(s, "://")
	if !found {
		scheme, rest = "udp", s
	}
	hostPort, name, named := strings.Cut(rest, "#")
	switch {
	case scheme == "tls":
		u.transport = viaTLS
	case scheme != "tcp" && scheme != "udp":
		return Upstream{}, fmt.Errorf("unknown scheme %q; %s", scheme, howToWrite)
	case named:
		return Upstream{}, errors.New("what follows # is the name in a certificate, and only tls:// has one; " + howToWrite)
	case scheme == "tcp":
		u.transport = viaTCP
	}
	if u.addr, err = parseAddrPort(hostPort, u.defaultPort()); err != nil {
		return Upstream{}, err
	}
	if named {
		if u.name, err = fqdn.ParseName(name); err != nil {
			return Upstream{}, fmt.Errorf("the name after # must be that of a host, such as dns.example.net: %w", err)
		}
	}
	return u, nil
}

func (u Upstream) defaultPort() uint16 {
	if u.transport == viaTLS {
		return tlsPort
	}
	return Port
}

func parseAddrPort(s string, defaultPort uint16) (netip.AddrPort, error) {
	bare := s
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		bare = s[1 : len(s)-1]
	}
	if addr, err := netip.ParseAddr(bare); err == nil {
		s = netip.AddrPortFrom(addr, defaultPort).String()
	}
	addr, err := netip.ParseAddrPort(s)
	switch {
	case err != nil || strings.Contains(addr.Addr().Zone(), "]"):
		return addr, fmt.Errorf("write an IP address and a port, such as 10.96.0.10:%d or [fd00::a]:%[1]d", defaultPort)
	case addr.Port() == 0:
		return addr, fmt.Errorf("port 0 cannot be asked; DNS is port %d", defaultPort)
	case addr.Addr().IsUnspecified() || addr.Addr().IsMulticast():
		return addr, fmt.Errorf("%s is not the address of one server", addr.Addr())
	}
	return unmapped(addr), nil
}

func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// String is the form that ParseUpstream reads, with the port: "10.96.0.10:53", "tcp://[fd00::a]:53",
// "tls://9.9.9.9:853#dns.quad9.net".
func (u Upstream) String() string {
	switch {
	case u.transport == viaUDP:
		return u.addr.String()
	case u.transport == viaTCP:
		return "tcp://" + u.addr.String()
	case u.name == (fqdn.Name{}):
		return "tls://" + u.addr.String()
	}
	return "tls://" + u.addr.String() + "#" + u.name.String()
}

// Server is the address and port at which it is asked.
func (u Upstream) Server() netip.AddrPort { return u.addr }

// OverTLS tells whether it is asked over TLS.
func (u Upstream) OverTLS() bool { return u.transport == viaTLS }

// Compare orders upstreams by address, port, transport and name.
func (u Upstream) Compare(v Upstream) int {
	return cmp.Or(u.addr.Compare(v.addr), cmp.Compare(u.transport, v.transport), cmp.Compare(u.name.String(), v.name.String()))
}
