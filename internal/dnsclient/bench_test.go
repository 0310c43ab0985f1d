// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsclient

import (
	"crypto/tls"
	"testing"

	"github.com/fqdn-egress/fqdn-egress/internal/dnsmsg"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

// BenchmarkExchange asks a server on loopback over real sockets, over TLS on a connection that is kept; the server's cost
// is in the figure.
func BenchmarkExchange(b *testing.B) {
	ca := dnstest.NewCA(b)
	s := dnstest.Start(b, dnstest.TLS(&tls.Config{Certificates: []tls.Certificate{ca.Issue("127.0.0.1")}}))
	s.Set("www.example.com", testTTL, "192.0.2.1", "192.0.2.2")
	q, sockets := questionFor(b, "www.example.com A"), &Sockets{RootCAs: ca.Pool()}
	for name, u := range map[string]Upstream{"udp": UDP(s.Addr()), "tcp": TCP(s.Addr()), "tls": TLS(s.TLSAddr(), fqdn.Name{})} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m, err := sockets.Exchange(b.Context(), q, u)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := dnsmsg.Read(q, m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
