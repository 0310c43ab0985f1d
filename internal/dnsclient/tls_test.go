// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsclient

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/internal/dnsmsg"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

// certifiedName is the name of the servers of these tests; they are at 127.0.0.1 too.
const certifiedName = "dns.example.net"

// secure is a server with one certificate, for certifiedName and 127.0.0.1, and a client that trusts it.
type secure struct {
	*dnstest.Server
	sockets  *Sockets
	upstream Upstream
}

func startSecure(t *testing.T) secure {
	t.Helper()
	ca := dnstest.NewCA(t)
	return startWith(t, ca, &tls.Config{Certificates: []tls.Certificate{ca.Issue(certifiedName, "127.0.0.1")}})
}

func startWith(t *testing.T, ca *dnstest.CA, config *tls.Config) secure {
	t.Helper()
	s := dnstest.Start(t, dnstest.TLS(config))
	s.Set("www.example.com", testTTL, "192.0.2.1", "192.0.2.2")
	return secure{Server: s, sockets: trusting(ca), upstream: TLS(s.TLSAddr(), given.Name(t, certifiedName))}
}

func (s secure) resolve(t *testing.T) (dnsmsg.Answer, error) {
	t.Helper()
	return resolveAt(t, s.sockets, s.upstream, "www.example.com A")
}

// trusting is a patient client.
func trusting(ca *dnstest.CA) *Sockets {
	sockets := patient()
	sockets.RootCAs = ca.Pool()
	return sockets
}

// losses makes the client wait as losses do.
func (s secure) losses() losses {
	lost := newLosses()
	s.sockets.limit, s.sockets.Discarded = lost.limit, lost.note
	return lost
}

// mustResolve asks n times, one after the other.
func (s secure) mustResolve(t *testing.T, n int) {
	t.Helper()
	want := dnsmsg.Answer{Addrs: given.Addrs("192.0.2.1", "192.0.2.2"), TTL: time.Minute}
	for range n {
		got, err := s.resolve(t)
		if diff := cmp.Diff(want, got, compareAddrs); err != nil || diff != "" {
			t.Fatalf("%v\n%s", err, diff)
		}
	}
}

// connections is how many connections the queries came on.
func (s secure) connections() int {
	from := map[netip.AddrPort]bool{}
	for _, q := range s.Queries("") {
		if q.Net != "udp" {
			from[q.From] = true
		}
	}
	return len(from)
}

// kept is how many connections wait for the next query.
func (s secure) kept() int {
	s.sockets.conns.mu.Lock()
	defer s.sockets.conns.mu.Unlock()
	return len(s.sockets.conns.idle[s.upstream])
}

// TestExchange_OverTLS: a server that does not prove who it is gets no question, over TLS or another way.
func TestExchange_OverTLS(t *testing.T) {
	ca := dnstest.NewCA(t)
	issued := func(hosts ...string) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{ca.Issue(hosts...)}}
	}
	but := func(c *tls.Config, change func(*tls.Config)) *tls.Config { change(c); return c }
	tests := map[string]struct {
		server *tls.Config
		name   string // of the upstream
		want   string // the reason; none: it is asked
	}{
		"the name":                {server: issued(certifiedName), name: certifiedName},
		"the name, one of two":    {server: issued("x.example.net", certifiedName), name: certifiedName},
		"the name, by a wildcard": {server: issued("*.example.net"), name: certifiedName},
		"the address":             {server: issued("127.0.0.1")},
		"TLS 1.2":                 {server: but(issued("127.0.0.1"), func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 })},
		"it speaks only DNS": {server: but(issued("127.0.0.1"), func(c *tls.Config) {
			c.NextProtos = []string{"dot"}
			c.VerifyConnection = func(state tls.ConnectionState) error {
				if state.NegotiatedProtocol != "dot" {
					return errors.New("ALPN must be dot")
				}
				return nil
			}
		})},
		"another name":               {server: issued("x.example.net"), name: certifiedName, want: ReasonCertificate},
		"the address for the name":   {server: issued("127.0.0.1"), name: certifiedName, want: ReasonCertificate},
		"the name for the address":   {server: issued(certifiedName), want: ReasonCertificate},
		"another address":            {server: issued("127.0.0.2"), want: ReasonCertificate},
		"a wildcard for more labels": {server: issued("*.net"), name: certifiedName, want: ReasonCertificate},
		"expired": {server: &tls.Config{Certificates: []tls.Certificate{ca.IssueUntil(time.Now().Add(-time.Minute), "127.0.0.1")}},
			want: ReasonCertificate},
		"of an unknown authority": {server: &tls.Config{Certificates: []tls.Certificate{dnstest.NewCA(t).Issue("127.0.0.1")}},
			want: ReasonCertificate},
		"TLS 1.1": {server: but(issued("127.0.0.1"), func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }),
			want: ReasonTLS},
		"it speaks only HTTP":         {server: but(issued("127.0.0.1"), func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} }), want: ReasonTLS},
		"it wants to know who we are": {server: but(issued("127.0.0.1"), func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert }), want: ReasonTLS},
	}
	for title, tc := range tests {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			s := startWith(t, ca, tc.server)
			s.upstream = TLS(s.TLSAddr(), fqdn.Name{})
			if tc.name != "" {
				s.upstream = TLS(s.TLSAddr(), given.Name(t, tc.name))
			}
			if tc.want == "" {
				s.mustResolve(t, 1)
			} else if got, err := s.resolve(t); err == nil || ReasonOf(err) != tc.want {
				t.Errorf("got %+v, %v, want the reason %q", got, err, tc.want)
			}
			want := 0
			if tc.want == "" {
				want = 1
			}
			if over, all := s.CountNet("tls", ""), s.Count(""); over != want || all != want {
				t.Errorf("%d queries, %d of them over TLS, want %d", all, over, want)
			}
		})
	}
}

// TestExchange_NoTLS: what answers at the port and has no TLS, or nobody.
func TestExchange_NoTLS(t *testing.T) {
	for title, tc := range map[string]struct {
		says, want string
		within     time.Duration
	}{
		"another protocol": {"220 mail.example.net ESMTP\r\n", ReasonTLS, time.Minute},
		"silent":           {"", ReasonTimeout, 50 * time.Millisecond}, // as a server for DNS over TCP, which reads a long query in our first bytes
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			addr := listenAndServe(t, nil, func(conn net.Conn) {
				_, _ = io.WriteString(conn, tc.says)
				_, _ = io.Copy(io.Discard, conn)
			})
			sockets := &Sockets{limit: func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, tc.within)
			}}
			got, err := resolveAt(t, sockets, TLS(addr, fqdn.Name{}), "www.example.com A")
			if err == nil || ReasonOf(err) != tc.want {
				t.Errorf("got %+v, %v, want the reason %q", got, err, tc.want)
			}
		})
	}
}

// listenAndServe serves each connection, over TLS if there is a config, until the test ends.
func listenAndServe(t *testing.T, config *tls.Config, serve func(net.Conn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddrPort(l.Addr().String())
	if config != nil {
		l = tls.NewListener(l, config)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return addr
}

func TestExchange_OverTLSFails(t *testing.T) {
	for title, tc := range map[string]struct {
		fault dnstest.Fault
		want  string
	}{
		"SERVFAIL":       {dnstest.Rcode(dns.RcodeServerFailure), "SERVFAIL"},
		"silent":         {dnstest.Drop(), ReasonTimeout},
		"hangs up":       {dnstest.HangUp(), ReasonClosed},
		"wrong ID":       {dnstest.WrongID(), dnsmsg.ReasonMismatch},
		"wrong question": {dnstest.WrongQuestion("evil.example"), dnsmsg.ReasonMismatch},
		"garbage":        {dnstest.Garbage([]byte("no DNS")), dnsmsg.ReasonMalformed},
		"truncated":      {dnstest.Edit(func(m *dns.Msg) { m.Truncated = true }), dnsmsg.ReasonTruncated},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			s := startSecure(t)
			s.Break("", s.losses().of(tc.fault))
			if got, err := s.resolve(t); err == nil || ReasonOf(err) != tc.want {
				t.Errorf("got %+v, %v, want the reason %q", got, err, tc.want)
			}
			if over, all := s.CountNet("tls", ""), s.Count(""); over != all || all == 0 {
				t.Errorf("%d queries, %d of them over TLS", all, over)
			}
		})
	}
}

// TestCertified: the zone of an address says how to reach it from here, and stands in no certificate.
func TestCertified(t *testing.T) {
	for upstream, want := range map[string]string{
		"tls://192.0.2.1": "192.0.2.1", "tls://[fe80::1%eth0]:853": "fe80::1", "tls://192.0.2.1#Dns.Example.net": certifiedName,
	} {
		if got := mustUpstream(t, upstream).certified(); got != want {
			t.Errorf("%s: %q, want %q", upstream, got, want)
		}
	}
}
