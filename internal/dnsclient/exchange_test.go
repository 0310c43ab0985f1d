// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/internal/dnsmsg"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

const (
	testTTL = dnstest.TTL(60 * time.Second)
	evil    = "192.0.2.66"
)

// resolve asks s over real sockets and returns what the answer says.
func resolve(t *testing.T, s *dnstest.Server, question string) (dnsmsg.Answer, error) {
	t.Helper()
	return resolveAt(t, patient(), UDP(s.Addr()), question)
}

func resolveAt(t *testing.T, sockets *Sockets, u Upstream, question string) (dnsmsg.Answer, error) {
	t.Helper()
	q := questionFor(t, question)
	m, err := sockets.Exchange(t.Context(), q, u)
	if err != nil {
		return dnsmsg.Answer{}, err
	}
	return readAnswer(q, m)
}

func manyAddrs(n int) []string {
	var as []string
	for i := range n {
		as = append(as, fmt.Sprintf("198.51.%d.%d", 100+i/256, i%256))
	}
	return as
}

func TestExchange(t *testing.T) {
	const name = "www.example.com"
	tests := map[string]struct {
		fault dnstest.Fault
		addrs []string // of the name; two by default
		want  []string
		// udp and tcp are the queries that it takes.
		udp, tcp int
	}{
		"plain":                                   {udp: 1},
		"Edge13: wrong ID first":                  {fault: dnstest.Before(with(dnstest.WrongID(), forged())), udp: 1},
		"Edge13: wrong question first":            {fault: dnstest.Before(with(dnstest.WrongQuestion("evil.example"), forged())), udp: 1},
		"garbage first":                           {fault: dnstest.Before(dnstest.Garbage([]byte("no DNS"))), udp: 1},
		"garbage after the header first":          {fault: dnstest.Before(dnstest.GarbageAfterHeader([]byte{0xc0, 0x0c, 0xff})), udp: 1},
		"cut off first":                           {fault: dnstest.Before(dnstest.CutOff(16)), udp: 1}, // one record less
		"a query first":                           {fault: dnstest.Before(dnstest.Edit(func(m *dns.Msg) { m.Response = false })), udp: 1},
		"Edge27: upper case":                      {fault: dnstest.UpperCase(), udp: 1},
		"Edge13: records of another owner beside": {fault: dnstest.Smuggle("evil.example. 60 IN A " + evil), udp: 1},
		"Edge10: truncated":                       {fault: dnstest.Truncate(1), udp: 1, tcp: 1},
		"Edge10: truncated to nothing":            {fault: dnstest.Truncate(0), udp: 1, tcp: 1},
		"a thousand addresses":                    {addrs: manyAddrs(1000), want: manyAddrs(1000), udp: 1, tcp: 1},
		"Edge10: 300 addresses":                   {addrs: manyAddrs(300), want: manyAddrs(300), udp: 1, tcp: 1},
		"more than we allow":                      {fault: dnstest.Oversize(), addrs: manyAddrs(100), want: manyAddrs(100), udp: 1},
		"more than the buffer":                    {fault: dnstest.Oversize(), addrs: manyAddrs(300), want: manyAddrs(300), udp: 1, tcp: 1},
		"no EDNS: FORMERR":                        {fault: dnstest.NoEDNS(dns.RcodeFormatError), udp: 2},
		"no EDNS: NOTIMP":                         {fault: dnstest.NoEDNS(dns.RcodeNotImplemented), udp: 2},
		"no EDNS: BADVERS":                        {fault: dnstest.NoEDNS(dns.RcodeBadVers), udp: 2},
		"no EDNS and truncated":                   {fault: with(dnstest.NoEDNS(dns.RcodeFormatError), dnstest.Only(dns.TypeA, truncateWithoutEDNS())), udp: 2, tcp: 1},
	}
	for title, tc := range tests {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			s := dnstest.Start(t)
			if tc.addrs == nil {
				tc.addrs = []string{"192.0.2.1", "192.0.2.2"}
				tc.want = tc.addrs
			}
			s.Set(name, testTTL, tc.addrs...)
			if tc.fault != nil {
				s.Break(name, tc.fault)
			}
			got, err := resolve(t, s, name+" A")
			if err != nil {
				t.Fatal(err)
			}
			want := dnsmsg.Answer{Addrs: given.Addrs(tc.want...), TTL: time.Minute}
			if diff := cmp.Diff(want, got, compareAddrs); diff != "" {
				t.Error(diff)
			}
			if udp, tcp := s.CountNet("udp", name), s.CountNet("tcp", name); udp != tc.udp || tcp != tc.tcp {
				t.Errorf("%d queries over UDP and %d over TCP, want %d and %d", udp, tcp, tc.udp, tc.tcp)
			}
		})
	}
}

// forged makes the answer one that must not be believed.
func forged() dnstest.Fault {
	return dnstest.Edit(func(m *dns.Msg) {
		m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: "www.example.com.", Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.ParseIP(evil)}}
	})
}

func truncateWithoutEDNS() dnstest.Fault {
	return func(q dnstest.Query, r *dnstest.Reply) {
		if !q.EDNS {
			dnstest.Truncate(1)(q, r)
		}
	}
}

func with(faults ...dnstest.Fault) dnstest.Fault {
	return func(q dnstest.Query, r *dnstest.Reply) {
		for _, fault := range faults {
			fault(q, r)
		}
	}
}

func TestExchange_Fails(t *testing.T) {
	const name = "www.example.com"
	tests := map[string]struct {
		fault dnstest.Fault
		opts  []dnstest.Option
		want  string
	}{
		"Edge11: SERVFAIL":                {fault: dnstest.Rcode(dns.RcodeServerFailure), want: "SERVFAIL"},
		"Edge11: REFUSED, header only":    {fault: dnstest.Edit(func(m *dns.Msg) { m.Rcode, m.Question, m.Answer = dns.RcodeRefused, nil, nil }), want: "REFUSED"},
		"NOERROR, header only":            {fault: dnstest.Edit(func(m *dns.Msg) { m.Question, m.Answer = nil, nil }), want: dnsmsg.ReasonMismatch},
		"NXDOMAIN, header only":           {fault: dnstest.Edit(func(m *dns.Msg) { m.Rcode, m.Question, m.Answer = dns.RcodeNameError, nil, nil }), want: dnsmsg.ReasonMismatch},
		"FORMERR without EDNS too":        {fault: dnstest.Rcode(dns.RcodeFormatError), want: "FORMERR"},
		"black hole":                      {fault: dnstest.Drop(), want: ReasonTimeout},
		"Edge13: late":                    {fault: dnstest.Delay(time.Minute), want: ReasonTimeout},
		"Edge13: wrong ID":                {fault: dnstest.WrongID(), want: dnsmsg.ReasonMismatch},
		"Edge13: wrong question":          {fault: dnstest.WrongQuestion("evil.example"), want: dnsmsg.ReasonMismatch},
		"wrong type":                      {fault: dnstest.Edit(func(m *dns.Msg) { m.Question = []dns.Question{{Name: name + ".", Qtype: 28, Qclass: 1}} }), want: dnsmsg.ReasonMismatch},
		"garbage":                         {fault: dnstest.Garbage([]byte("no DNS")), want: dnsmsg.ReasonMalformed},
		"garbage after the header":        {fault: dnstest.GarbageAfterHeader([]byte{0xc0, 0xff}), want: dnsmsg.ReasonMalformed},
		"cut off between records":         {fault: dnstest.CutOff(16 + 11), want: dnsmsg.ReasonMalformed}, // the last address and the OPT record
		"loop":                            {fault: dnstest.Smuggle(name+". 60 IN CNAME b.example.com.", "b.example.com. 60 IN CNAME "+name+"."), want: dnsmsg.ReasonAmbiguous},
		"Edge10: truncated, TCP closed":   {fault: dnstest.Truncate(1), opts: []dnstest.Option{dnstest.UDPOnly()}, want: ReasonRefused},
		"Edge10: truncated, TCP hangs up": {fault: with(dnstest.Truncate(1), dnstest.HangUp()), want: ReasonClosed},
		"Edge10: truncated, TCP silent":   {fault: with(dnstest.Truncate(1), dnstest.Over("tcp", dnstest.Drop())), want: ReasonTimeout},
		"Edge10: truncated over TCP too":  {fault: dnstest.Edit(func(m *dns.Msg) { m.Truncated = true }), want: dnsmsg.ReasonTruncated},
		"16 KiB over TCP":                 {fault: with(dnstest.Truncate(1), dnstest.Over("tcp", dnstest.Garbage(make([]byte, dnsmsg.MaxMessage+1)))), want: dnsmsg.ReasonTooLong},
		"wrong ID over TCP":               {fault: with(dnstest.Truncate(1), dnstest.Over("tcp", dnstest.WrongID())), want: dnsmsg.ReasonMismatch},
	}
	for title, tc := range tests {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			s := dnstest.Start(t, tc.opts...)
			s.Set(name, testTTL, "192.0.2.1", "192.0.2.2")
			lost := newLosses()
			s.Break(name, lost.of(tc.fault))
			got, err := resolveAt(t, lost.sockets(), UDP(s.Addr()), name+" A")
			if err == nil {
				t.Fatalf("got the answer %+v", got)
			}
			if reason := ReasonOf(err); reason != tc.want {
				t.Errorf("reason %q (%v), want %q", reason, err, tc.want)
			}
		})
	}
}

// TestExchange_OtherOwnersOnly: what CoreDNS' rewrite makes of an answer is no NODATA, and whoever reads the status learns why.
func TestExchange_OtherOwnersOnly(t *testing.T) {
	s := dnstest.Start(t)
	s.Set("www.example.com", testTTL, "192.0.2.1")
	s.Break("", dnstest.OtherOwner("lb-1.elb.example.net"))
	got, err := resolve(t, s, "www.example.com A")
	if ReasonOf(err) != dnsmsg.ReasonOtherOwner {
		t.Fatalf("records of another owner gave %+v, %v", got, err)
	}
	if want := `answer about another name (lb-1.elb.example.net; a CoreDNS rewrite rule needs "answer auto")`; statusOf(err) != want {
		t.Errorf("a status would say %q, want %q", statusOf(err), want)
	}
	s.Break("", dnstest.OtherOwner(strings.Repeat("very-long-label.", 15)+"example.net"))
	if _, err = resolve(t, s, "www.example.com A"); len(statusOf(err)) > 200 {
		t.Errorf("a server makes a status %d bytes longer", len(statusOf(err)))
	}
}

// statusOf is the failure as a status tells it.
func statusOf(err error) string {
	var e *dnsmsg.Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.Status()
}

func TestExchange_OneLostPacket(t *testing.T) {
	t.Parallel()
	s := dnstest.Start(t)
	s.Set("www.example.com", testTTL, "192.0.2.1")
	lost := newLosses()
	s.Break("", dnstest.First(1, lost.of(dnstest.Drop())))
	got, err := resolveAt(t, lost.sockets(), UDP(s.Addr()), "www.example.com A")
	if err != nil || len(got.Addrs) != 1 {
		t.Errorf("after one lost packet: %+v, %v", got, err)
	}
}

// TestExchange_OverTCPOnly: over TCP an answer as long as the buffer for UDP is whole.
func TestExchange_OverTCPOnly(t *testing.T) {
	const name, n = "www1234.example.com", 253
	if size := 12 + len(name) + 2 + 4 + 16*n + 11; size != udpBuffer { // header, question, addresses, OPT record
		t.Fatalf("the answer has %d bytes", size)
	}
	s := dnstest.Start(t)
	s.Set(name, testTTL, manyAddrs(n)...)
	got, err := resolveAt(t, patient(), TCP(s.Addr()), name+" A")
	if err != nil || len(got.Addrs) != n || s.CountNet("udp", "") != 0 {
		t.Errorf("over TCP: %d addresses, %v; %d queries over UDP", len(got.Addrs), err, s.CountNet("udp", ""))
	}
}

// TestExchange_QueriesLikeAStub: what caches key on must be what pods send, and what an attacker must guess is random.
func TestExchange_QueriesLikeAStub(t *testing.T) {
	s := dnstest.Start(t)
	s.Set("www.example.com", testTTL, "192.0.2.1")
	const n = 20
	for range n {
		if _, err := resolve(t, s, "WWW.Example.com AAAA"); err != nil {
			t.Fatal(err)
		}
	}
	ids, ports := map[uint16]bool{}, map[uint16]bool{}
	for _, q := range s.Queries("") {
		ids[q.ID], ports[q.From.Port()] = true, true
		q.ID, q.From, q.At = 0, netip.AddrPort{}, time.Time{}
		want := dnstest.Query{Name: "www.example.com", Type: dns.TypeAAAA, Net: "udp", EDNS: true, UDPSize: 1232, RD: true}
		if diff := cmp.Diff(want, q, compareAddrs, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Error(diff)
		}
	}
	if len(ids) < n-2 || len(ports) < n-2 {
		t.Errorf("%d queries had %d IDs and %d source ports", n, len(ids), len(ports))
	}
}

func TestExchange_NobodyListens(t *testing.T) {
	s, err := dnstest.New("")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, u := range []Upstream{UDP(s.Addr()), TCP(s.Addr()), TLS(s.Addr(), fqdn.Name{})} {
		if _, err := resolveAt(t, patient(), u, "www.example.com A"); ReasonOf(err) != ReasonRefused {
			t.Errorf("%v: %v", u, err)
		}
	}
}

func TestExchange_CountsWhatItDiscards(t *testing.T) {
	s := dnstest.Start(t)
	s.Set("www.example.com", testTTL, "192.0.2.1")
	s.Break("", dnstest.Before(dnstest.WrongID()), dnstest.Before(dnstest.Garbage([]byte{1})))
	var discarded atomic.Int64
	sockets := patient()
	sockets.Discarded = func() { discarded.Add(1) }
	if _, err := resolveAt(t, sockets, UDP(s.Addr()), "www.example.com A"); err != nil || discarded.Load() != 2 {
		t.Errorf("%d discarded, %v", discarded.Load(), err)
	}
}

func TestExchange_EndsWithItsContext(t *testing.T) {
	s := dnstest.Start(t)
	s.Break("", dnstest.Drop())
	for _, u := range []Upstream{UDP(s.Addr()), TCP(s.Addr())} {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		s.ForgetQueries()
		go func() {
			_, err := patient().Exchange(ctx, questionFor(t, "www.example.com A"), u)
			ended <- err
		}()
		if err := s.WaitFor(t.Context(), 1, ""); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		cancel()
		if err := <-ended; err == nil || time.Since(start) > time.Second {
			t.Errorf("%v: ended after %v with %v", u, time.Since(start), err)
		}
		if n := s.Count(""); n != 1 {
			t.Errorf("%v: asked %d times", u, n)
		}
	}
}
