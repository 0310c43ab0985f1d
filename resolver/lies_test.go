// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"crypto/tls"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

// TestExchange_StreamThatLies sends messages that are no answer for as long as somebody reads them.
func TestExchange_StreamThatLies(t *testing.T) {
	ca := dnstest.NewCA(t)
	foreign := make([]byte, maxMessage)
	foreign[flagsAt] = responseBit
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
			if got, err := resolveAt(t, sockets, u, "www.example.com A"); reasonOf(err) != ReasonMismatch {
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
		"of the server":           {repeat(maxLies, cut), ReasonMalformed},
		"of the server, not many": {repeat(maxLies-1, cut), ""},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			s := dnstest.Start(t)
			s.Set("www.example.com", testTTL, "192.0.2.1", "192.0.2.2")
			s.Break("", tc.faults...)
			got, err := resolveAt(t, patient(), UDP(s.Addr()), "www.example.com A")
			if tc.want == "" && (err != nil || len(got.Addrs) != 2) || tc.want != "" && (err == nil || reasonOf(err) != tc.want) {
				t.Errorf("got %+v, %v, want the reason %q", got, err, tc.want)
			}
		})
	}
}

// TestUnpack_Bounded: what is short on the wire may not be long in memory.
func TestUnpack_Bounded(t *testing.T) {
	q := questionFor(t, "www.example.com A")
	sent, err := newQuery(q, true, false)
	if err != nil {
		t.Fatal(err)
	}
	id := uint16(sent[0])<<8 | uint16(sent[1])
	names := namesOf(q, id, maxMessage)
	if reason := sent.rejects(names); reason != "" {
		t.Fatalf("rejected: %s", reason)
	}
	if m, reason := unpack(names, false); reason != ReasonMalformed {
		t.Errorf("aliases of %d bytes without compression: %q", unpackedLen(m), reason)
	}
	foreign := namesOf(questionFor(t, "other.example.com A"), id, 64<<10-1)
	if n := testing.AllocsPerRun(100, func() {
		if sent.rejects(foreign) != ReasonMismatch {
			t.Error("not rejected")
		}
	}); n != 0 {
		t.Errorf("a foreign message takes %v allocations", n)
	}
	header := foreign[:headerSize]
	header[countsAt+1] = 0 // 4680 records after no question
	if m, reason := unpack(append(header, 0), false); reason != ReasonMalformed {
		t.Errorf("records that are not there: %v, %q", m, reason)
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

// TestRejects compares ID, kind and question.
func TestRejects(t *testing.T) {
	q := questionFor(t, "www.example.com A")
	sent, err := newQuery(q, true, false)
	if err != nil {
		t.Fatal(err)
	}
	for title, tc := range map[string]struct {
		edit func(*dns.Msg)
		cut  int
		want string
	}{
		"the answer":         {},
		"upper case":         {edit: func(m *dns.Msg) { m.Question[0].Name = "WWW.EXAMPLE.com." }},
		"no question":        {edit: func(m *dns.Msg) { m.Question = nil }}, // an error perhaps
		"another ID":         {edit: func(m *dns.Msg) { m.Id++ }, want: ReasonMismatch},
		"a query":            {edit: func(m *dns.Msg) { m.Response = false }, want: ReasonMismatch},
		"a notification":     {edit: func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }, want: ReasonMismatch},
		"another name":       {edit: func(m *dns.Msg) { m.Question[0].Name = "wwx.example.com." }, want: ReasonMismatch},
		"a longer name":      {edit: func(m *dns.Msg) { m.Question[0].Name = "www.example.com.x." }, want: ReasonMismatch},
		"other labels":       {edit: func(m *dns.Msg) { m.Question[0].Name = `www\.example.com.` }, want: ReasonMismatch},
		"another type":       {edit: func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeAAAA }, want: ReasonMismatch},
		"another class":      {edit: func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }, want: ReasonMismatch},
		"two questions":      {edit: func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }, want: ReasonMismatch},
		"half a header":      {cut: 30, want: ReasonMalformed},
		"half a question":    {cut: 3, want: ReasonMalformed},
		"a header, no more":  {cut: 21},
		"half a label first": {cut: 15, want: ReasonMalformed},
	} {
		m := new(dns.Msg).SetQuestion(q.qname(), q.qtype())
		m.Id, m.Response = uint16(sent[0])<<8|uint16(sent[1]), true
		if tc.edit != nil {
			tc.edit(m)
		}
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		if got := sent.rejects(b[:max(len(b)-tc.cut, 0)]); got != tc.want {
			t.Errorf("%s: %q, want %q", title, got, tc.want)
		}
	}
}

// BenchmarkForeignMessage is what a message costs that others send: 64 KiB of aliases that point at one long name.
func BenchmarkForeignMessage(b *testing.B) {
	q := questionFor(b, "www.example.com A")
	sent, err := newQuery(q, true, false)
	if err != nil {
		b.Fatal(err)
	}
	id := uint16(sent[0])<<8 | uint16(sent[1])
	for title, message := range map[string][]byte{
		"another question": namesOf(questionFor(b, "other.example.com A"), id, 64<<10-1),
		"our question":     namesOf(q, id, maxMessage),
	} {
		b.Run(title, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				reason := sent.rejects(message)
				if reason == "" {
					_, reason = unpack(message, false)
				}
				if reason == "" {
					b.Fatal("accepted")
				}
			}
		})
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
