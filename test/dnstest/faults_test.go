// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnstest_test

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

func TestFaults(t *testing.T) {
	const name = "www.example.com"
	tests := map[string]struct {
		fault dnstest.Fault
		want  func(m *dns.Msg, err error) bool
	}{
		"RCODE":               {dnstest.Rcode(dns.RcodeRefused), func(m *dns.Msg, err error) bool { return m.Rcode == dns.RcodeRefused && m.Answer == nil }},
		"black hole":          {dnstest.Drop(), func(m *dns.Msg, err error) bool { return m == nil && isTimeout(err) }},
		"late":                {dnstest.Delay(time.Hour), func(m *dns.Msg, err error) bool { return isTimeout(err) }},
		"truncated":           {dnstest.Truncate(1), func(m *dns.Msg, err error) bool { return m.Truncated && len(m.Answer) == 1 }},
		"no EDNS":             {dnstest.NoEDNS(dns.RcodeFormatError), func(m *dns.Msg, err error) bool { return m.Rcode == dns.RcodeFormatError && m.IsEdns0() == nil }},
		"BADVERS":             {dnstest.NoEDNS(dns.RcodeBadVers), func(m *dns.Msg, err error) bool { return m.Rcode == dns.RcodeBadVers }},
		"other question":      {dnstest.WrongQuestion("evil.example"), func(m *dns.Msg, err error) bool { return m.Question[0].Name == "evil.example." }},
		"other owner":         {dnstest.OtherOwner("evil.example"), func(m *dns.Msg, err error) bool { return m.Answer[0].Header().Name == "evil.example." }},
		"smuggled":            {dnstest.Smuggle("evil.example. 1 IN A 192.0.2.66"), func(m *dns.Msg, err error) bool { return len(m.Answer) == 3 }},
		"upper case":          {dnstest.UpperCase(), func(m *dns.Msg, err error) bool { return m.Answer[0].Header().Name == "WWW.EXAMPLE.COM." }},
		"wrong ID":            {dnstest.WrongID(), func(m *dns.Msg, err error) bool { return err != nil }},
		"wrong ID, then good": {dnstest.Before(dnstest.WrongID()), func(m *dns.Msg, err error) bool { return err == nil && len(m.Answer) == 2 }},
		"garbage":             {dnstest.Garbage([]byte("no DNS")), func(m *dns.Msg, err error) bool { return err != nil }},
		"bad record":          {dnstest.GarbageAfterHeader([]byte{0xc0, 0xff}), func(m *dns.Msg, err error) bool { return err != nil }},
		"cut off":             {dnstest.CutOff(3), func(m *dns.Msg, err error) bool { return err != nil }},
		"first only":          {dnstest.First(0, dnstest.Drop()), func(m *dns.Msg, err error) bool { return err == nil }},
		"other type only":     {dnstest.Only(dns.TypeAAAA, dnstest.Drop()), func(m *dns.Msg, err error) bool { return err == nil }},
		"other network only":  {dnstest.HangUp(), func(m *dns.Msg, err error) bool { return err == nil }},
	}
	for title, tc := range tests {
		t.Run(title, func(t *testing.T) {
			s := dnstest.Start(t)
			s.Set(name, ttl, "192.0.2.1", "192.0.2.2")
			s.Set("fine.example.com", ttl, "192.0.2.3")
			s.Break(name, tc.fault)
			if m, err := exchange(t, s, "udp", name, dns.TypeA); !tc.want(m, err) {
				t.Errorf("got %v, %v", m, err)
			}
			if m := ask(t, s, "fine.example.com", dns.TypeA); len(m.Answer) != 1 || m.Rcode != 0 || m.Truncated {
				t.Errorf("another name is broken too: %v", m)
			}
			s.Heal(name)
			if m := ask(t, s, name, dns.TypeA); addresses(m) != "192.0.2.1 192.0.2.2" {
				t.Errorf("still broken: %v", m)
			}
		})
	}
}

func isTimeout(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}

func TestFaults_TCP(t *testing.T) {
	s := dnstest.Start(t)
	s.Break("", dnstest.HangUp())
	if _, err := exchange(t, s, "tcp", "a.example.com", dns.TypeA); err == nil || isTimeout(err) {
		t.Errorf("hung up: %v", err)
	}
	s.Break("", dnstest.Over("tcp", dnstest.Drop()))
	if _, err := exchange(t, s, "tcp", "a.example.com", dns.TypeA); !isTimeout(err) {
		t.Errorf("dropped: %v", err)
	}
	udpOnly := dnstest.Start(t, dnstest.UDPOnly())
	if _, err := exchange(t, udpOnly, "tcp", "a.example.com", dns.TypeA); err == nil {
		t.Error("TCP answered although it is closed")
	}
}

// TestSizes: the server itself respects the size that the client allows, unless it is told not to.
func TestSizes(t *testing.T) {
	s := dnstest.Start(t)
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprintf("192.0.2.%d", i))
	}
	s.Set("big.example.com", ttl, many...)
	m := ask(t, s, "big.example.com", dns.TypeA)
	m.Compress = true // for Len
	if !m.Truncated || len(m.Answer) == 0 || m.Len() > 1232 {
		t.Errorf("truncated %v, %d records, %d bytes", m.Truncated, len(m.Answer), m.Len())
	}
	if m, err := exchange(t, s, "tcp", "big.example.com", dns.TypeA); err != nil || len(m.Answer) != 100 {
		t.Errorf("over TCP: %v, %v", m, err)
	}
	s.Break("", dnstest.Oversize())
	q := new(dns.Msg).SetQuestion("big.example.com.", dns.TypeA)
	c := dns.Client{UDPSize: 4096, Timeout: time.Second}
	if m, _, err := c.Exchange(q, s.Addr().String()); err != nil || len(m.Answer) != 100 {
		t.Errorf("oversize: %v, %v", m, err)
	}
}

// BenchmarkServer asks over 16 sockets of its own, so the figure holds a client's cost too.
func BenchmarkServer(b *testing.B) {
	s := dnstest.Start(b)
	s.Set("*.example.com", ttl, "192.0.2.1", "192.0.2.2")
	query, _ := new(dns.Msg).SetQuestion("www.example.com.", dns.TypeA).Pack()
	var clients sync.WaitGroup
	for range 16 {
		conn, err := net.Dial("udp", s.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		clients.Go(func() {
			defer conn.Close()
			buf := make([]byte, 512)
			for range b.N / 16 {
				_, _ = conn.Write(query)
				if _, err := conn.Read(buf); err != nil {
					b.Error(err)
				}
			}
		})
	}
	clients.Wait()
	b.ReportMetric(float64(s.Count(""))/b.Elapsed().Seconds(), "queries/s")
}
