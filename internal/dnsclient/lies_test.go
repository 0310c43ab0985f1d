// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsclient

import (
	"crypto/tls"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fqdn-egress/fqdn-egress/internal/dnsmsg"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

// TestExchange_StreamThatLies sends messages that are no answer for as long as somebody reads them.
func TestExchange_StreamThatLies(t *testing.T) {
	ca := dnstest.NewCA(t)
	foreign := make([]byte, dnsmsg.MaxMessage)
	foreign[2] = 0x80 // a response (RFC 1035 section 4.1.1)
	lie := func(conn net.Conn) {
		if _, err := readFrame(conn); err != nil {
			return
		}
		for writeFrame(conn, foreign) == nil {
			continue
		}
	}
	plain := listenAndServe(t, nil, lie)
	secure := listenAndServe(t, &tls.Config{Certificates: []tls.Certificate{ca.Issue("127.0.0.1")}}, lie)
	for title, u := range map[string]Upstream{"tcp": TCP(plain), "tls": TLS(secure, fqdn.Name{})} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			var discarded atomic.Int64
			sockets := &Sockets{RootCAs: ca.Pool(), limit: newLosses().limit, Discarded: func() { discarded.Add(1) }}
			if got, err := resolveAt(t, sockets, u, "www.example.com A"); ReasonOf(err) != dnsmsg.ReasonMismatch {
				t.Errorf("got %+v, %v", got, err)
			}
			if n := discarded.Load(); n != attempts*maxLies {
				t.Errorf("%d messages were read, want %d", n, attempts*maxLies)
			}
		})
	}
}

// TestExchange_DatagramsThatLie: over UDP anybody can send what has another ID, so that ends nothing; what has the right ID
// and question comes from the server.
func TestExchange_DatagramsThatLie(t *testing.T) {
	repeat := func(n int, fault dnstest.Fault) []dnstest.Fault {
		var faults []dnstest.Fault
		for range n {
			faults = append(faults, dnstest.Before(fault))
		}
		return faults
	}
	cut := dnstest.CutOff(16)
	for title, tc := range map[string]struct {
		faults []dnstest.Fault
		want   string
	}{
		"of anybody":              {repeat(50, dnstest.WrongID()), ""},
		"of the server":           {repeat(maxLies, cut), dnsmsg.ReasonMalformed},
		"of the server, not many": {repeat(maxLies-1, cut), ""},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			s := dnstest.Start(t)
			s.Set("www.example.com", testTTL, "192.0.2.1", "192.0.2.2")
			s.Break("", tc.faults...)
			got, err := resolveAt(t, patient(), UDP(s.Addr()), "www.example.com A")
			if tc.want == "" && (err != nil || len(got.Addrs) != 2) || tc.want != "" && (err == nil || ReasonOf(err) != tc.want) {
				t.Errorf("got %+v, %v, want the reason %q", got, err, tc.want)
			}
		})
	}
}

// TestUnpack_AThousandAddresses of a name of a hundred octets fit.
func TestUnpack_AThousandAddresses(t *testing.T) {
	name := strings.Repeat("a.", 45) + "example.com"
	s := dnstest.Start(t)
	s.Set(name, testTTL, manyAddrs(1000)...)
	got, err := resolveAt(t, patient(), TCP(s.Addr()), name+" A")
	if err != nil || len(got.Addrs) != 1000 {
		t.Errorf("%d addresses, %v", len(got.Addrs), err)
	}
}

// BenchmarkTruncated asks for answers that do not fit over UDP.
func BenchmarkTruncated(b *testing.B) {
	s := dnstest.Start(b)
	s.Set("www.example.com", testTTL, "192.0.2.1", "192.0.2.2")
	s.Break("", dnstest.Truncate(1))
	q, sockets := questionFor(b, "www.example.com A"), &Sockets{}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := sockets.Exchange(b.Context(), q, UDP(s.Addr())); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "questions/s")
	from := map[netip.AddrPort]bool{}
	for _, query := range s.Queries("") {
		if query.Net == "tcp" {
			from[query.From] = true
		}
	}
	b.ReportMetric(float64(len(from)), "connections")
}
