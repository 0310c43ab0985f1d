// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnstest_test

import (
	"context"
	"crypto/tls"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ttl = dnstest.TTL(5 * time.Second)

// exchange asks as a plain client would; it returns an error when nothing usable comes within 300 ms.
func exchange(t *testing.T, s *dnstest.Server, network, name string, qtype uint16) (*dns.Msg, error) {
	t.Helper()
	q := new(dns.Msg).SetQuestion(dns.Fqdn(name), qtype)
	q.SetEdns0(1232, false)
	c := dns.Client{Net: network, Timeout: 300 * time.Millisecond}
	m, _, err := c.Exchange(q, s.Addr().String())
	return m, err
}

func ask(t *testing.T, s *dnstest.Server, name string, qtype uint16) *dns.Msg {
	t.Helper()
	m, err := exchange(t, s, "udp", name, qtype)
	if err != nil {
		t.Fatalf("asking for %s: %v", name, err)
	}
	return m
}

// text is the RCODE and the records of answer and authority, one a line, sorted.
func text(m *dns.Msg) []string {
	var lines []string
	for _, rr := range slices.Concat(m.Answer, m.Ns) {
		lines = append(lines, strings.ReplaceAll(rr.String(), "\t", " "))
	}
	slices.Sort(lines)
	return append([]string{dns.RcodeToString[m.Rcode]}, lines...)
}

const noSuchSOA = ". 30 IN SOA ns.dnstest. admin.dnstest. 1 3600 600 86400 30"

func TestAnswers(t *testing.T) {
	s := dnstest.Start(t)
	s.Set("WWW.example.com", ttl, "192.0.2.1", "2001:db8::1", "192.0.2.2")
	s.Set("*.gen.example.com", ttl, "192.0.2.3")
	s.Set("empty.example.com", ttl)
	s.Zone(`alias.example.com. 300 IN CNAME www.example.com.
dead.example.com. 60 IN CNAME nowhere.example.org.
example.org. 100 IN SOA ns.example.org. admin.example.org. 1 3600 600 86400 20
a.loop.example. 9 IN CNAME b.loop.example.
b.loop.example. 9 IN CNAME a.loop.example.`)
	s.Chain("chain.example.com", ttl, 2, "192.0.2.9")
	const orgSOA = "example.org. 100 IN SOA ns.example.org. admin.example.org. 1 3600 600 86400 20"
	tests := map[string]struct {
		name  string
		qtype uint16
		want  []string
	}{
		"addresses of the family asked for": {"www.example.com", dns.TypeA, []string{"NOERROR", "www.example.com. 5 IN A 192.0.2.1", "www.example.com. 5 IN A 192.0.2.2"}},
		"the other family":                  {"www.example.com", dns.TypeAAAA, []string{"NOERROR", "www.example.com. 5 IN AAAA 2001:db8::1"}},
		"unknown name":                      {"no.example.com", dns.TypeA, []string{"NXDOMAIN", noSuchSOA}},
		"no data of this type":              {"empty.example.com", dns.TypeA, []string{"NOERROR", noSuchSOA}},
		"wildcard":                          {"x.y.gen.example.com", dns.TypeA, []string{"NOERROR", "x.y.gen.example.com. 5 IN A 192.0.2.3"}},
		"the wildcard's apex":               {"gen.example.com", dns.TypeA, []string{"NXDOMAIN", noSuchSOA}},
		"alias":                             {"alias.example.com", dns.TypeAAAA, []string{"NOERROR", "alias.example.com. 300 IN CNAME www.example.com.", "www.example.com. 5 IN AAAA 2001:db8::1"}},
		"alias to nowhere":                  {"dead.example.com", dns.TypeA, []string{"NXDOMAIN", "dead.example.com. 60 IN CNAME nowhere.example.org.", orgSOA}},
		"loop":                              {"a.loop.example", dns.TypeA, []string{"NOERROR", "a.loop.example. 9 IN CNAME b.loop.example.", "b.loop.example. 9 IN CNAME a.loop.example."}},
		"chain": {"chain.example.com", dns.TypeA, []string{"NOERROR", "chain.example.com. 5 IN CNAME link1.chain.example.com.",
			"link1.chain.example.com. 5 IN CNAME link2.chain.example.com.", "link2.chain.example.com. 5 IN A 192.0.2.9"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, text(ask(t, s, tc.name, tc.qtype))); diff != "" {
				t.Error(diff)
			}
			if m, err := exchange(t, s, "tcp", tc.name, tc.qtype); err != nil || !cmp.Equal(tc.want, text(m)) {
				t.Errorf("over TCP: %v, %v", m, err)
			}
		})
	}
}

func TestRemove(t *testing.T) {
	s := dnstest.Start(t)
	s.Set("www.example.com", ttl, "192.0.2.1")
	s.Remove("www.example.com")
	if diff := cmp.Diff([]string{"NXDOMAIN", noSuchSOA}, text(ask(t, s, "www.example.com", dns.TypeA))); diff != "" {
		t.Error(diff)
	}
}

func addresses(m *dns.Msg) string {
	var as []string
	for _, rr := range m.Answer {
		as = append(as, rr.(*dns.A).A.String())
	}
	return strings.Join(as, " ")
}

func TestPool(t *testing.T) {
	s := dnstest.Start(t)
	pool := []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}
	s.Pool("turn.example.com", ttl, dnstest.RoundRobin(2), pool...)
	s.Pool("dice.example.com", ttl, dnstest.Random(1, 7), pool...)
	s.Pool("same.example.com", ttl, dnstest.Random(1, 7), pool...)
	for _, want := range []string{"192.0.2.1 192.0.2.2", "192.0.2.3 192.0.2.1", "192.0.2.2 192.0.2.3"} {
		if got := addresses(ask(t, s, "turn.example.com", dns.TypeA)); got != want {
			t.Errorf("round robin gave %q, want %q", got, want)
		}
	}
	seen := map[string]bool{}
	for range 30 {
		dice, same := addresses(ask(t, s, "dice.example.com", dns.TypeA)), addresses(ask(t, s, "same.example.com", dns.TypeA))
		if dice != same {
			t.Fatalf("one seed, two sequences: %s, %s", dice, same)
		}
		seen[dice] = true
	}
	if len(seen) != len(pool) {
		t.Errorf("30 random answers had %d of %d addresses", len(seen), len(pool))
	}
}

func TestQueryLog(t *testing.T) {
	s := dnstest.Start(t)
	ask(t, s, "a.example.com", dns.TypeA)
	ask(t, s, "A.example.com", dns.TypeAAAA)
	ask(t, s, "b.example.com", dns.TypeA)
	if _, err := exchange(t, s, "tcp", "a.example.com", dns.TypeA); err != nil {
		t.Fatal(err)
	}
	counts := []int{s.Count(""), s.Count("a.example.com"), s.Count("a.example.com", dns.TypeA),
		s.CountNet("tcp", "a.example.com"), s.Count("", dns.TypeAAAA), s.Count("c.example.com")}
	if diff := cmp.Diff([]int{4, 3, 2, 1, 1, 0}, counts); diff != "" {
		t.Error(diff)
	}
	qs := s.Queries("a.example.com", dns.TypeA)
	if len(qs) != 2 || qs[0].Net != "udp" || qs[1].Net != "tcp" || qs[0].UDPSize != 1232 || !qs[0].RD || qs[0].DO {
		t.Errorf("queries: %+v", qs)
	}
	if asked, last := s.Asked(), s.Queries("b.example.com")[0].At; asked.Questions != 3 || !asked.Last.Equal(last) {
		t.Errorf("distinct questions: %+v, the last at %v", asked, last)
	}
	s.ForgetQueries()
	if n, asked := s.Count(""), s.Asked(); n != 0 || asked != (dnstest.Asked{}) {
		t.Errorf("%d queries after ForgetQueries, %+v", n, asked)
	}
}

func TestOverTLS(t *testing.T) {
	ca := dnstest.NewCA(t)
	s := dnstest.Start(t, dnstest.TLS(&tls.Config{Certificates: []tls.Certificate{ca.Issue("dns.example.net", "192.0.2.53")}}))
	s.Set("www.example.com", ttl, "192.0.2.1")
	q := new(dns.Msg).SetQuestion("www.example.com.", dns.TypeA)
	for name, trusted := range map[string]bool{"dns.example.net": true, "192.0.2.53": true, "other.example.net": false, "192.0.2.54": false} {
		c := dns.Client{Net: "tcp-tls", TLSConfig: &tls.Config{RootCAs: ca.Pool(), ServerName: name}}
		m, _, err := c.Exchange(q, s.TLSAddr().String())
		if trusted && (err != nil || addresses(m) != "192.0.2.1") || !trusted && err == nil {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
	if over, all := s.CountNet("tls", ""), s.Count(""); over != 2 || all != 2 {
		t.Errorf("%d queries over TLS of %d, want 2 of 2", over, all)
	}
	if other := dnstest.Start(t); other.TLSAddr().IsValid() {
		t.Errorf("without the option there is an address: %v", other.TLSAddr())
	}
}

func TestWaitFor(t *testing.T) {
	s := dnstest.Start(t)
	waited := make(chan error)
	go func() { waited <- s.WaitFor(t.Context(), 2, "a.example.com", dns.TypeA) }()
	ask(t, s, "a.example.com", dns.TypeA)
	ask(t, s, "a.example.com", dns.TypeAAAA)
	ask(t, s, "a.example.com", dns.TypeA)
	if err := <-waited; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.WaitFor(ctx, 3, "a.example.com", dns.TypeA); !errors.Is(err, context.Canceled) {
		t.Errorf("third query that never came: %v", err)
	}
}

func TestCloseEndsDelays(t *testing.T) {
	s, err := dnstest.New("")
	if err != nil {
		t.Fatal(err)
	}
	s.Break("", dnstest.Delay(time.Hour))
	if _, err := exchange(t, s, "udp", "a.example.com", dns.TypeA); err == nil {
		t.Error("a delayed answer came at once")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := dnstest.New("192.0.2.1:53"); err == nil {
		t.Error("listening on an address of somebody else worked")
	}
}
