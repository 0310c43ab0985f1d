// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/test/apiserver"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
	"github.com/fqdn-egress/fqdn-egress/test/pause"
)

func startAuthority(t *testing.T, trip time.Duration) (shape, *authority) {
	t.Helper()
	s := shape{Pool: 40, PerAnswer: 4, TTL: 5, Replicas: 1}
	a, err := newAuthority(s, s.addresses(0), dnstest.RoundRobin(4), trip)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return s, a
}

func startResolver(t *testing.T, a *authority) *resolver {
	t.Helper()
	r, err := newResolver(a.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.close() })
	return r
}

// told is the TTL of an answer and its first address; negative answers have the TTL of the SOA record.
type told struct {
	TTL            uint32
	Addr           string
	sent, received time.Time
}

func ask(t *testing.T, server, name string, qtype uint16) told {
	t.Helper()
	got := told{sent: time.Now()}
	m, err := dns.Exchange(new(dns.Msg).SetQuestion(name, qtype), server)
	got.received = time.Now()
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Answer) == 0 {
		got.TTL = m.Ns[0].Header().Ttl
		return got
	}
	got.TTL, got.Addr = m.Answer[0].Header().Ttl, addressesIn(m)[0].String()
	return got
}

// told one after the other by a cache, of one name. Both caches are held to the same rule: an entry is handed out with
// TTL - floor(its age) until its age is the TTL, and then there is another. How old it is is known to the time that two
// exchanges take, so a busy machine makes the rule weaker and never wrong.
type sequence struct {
	ttl      uint32
	first    told // of the entry
	renewals int
}

func (s *sequence) judge(next told) error {
	if s.first.sent.IsZero() {
		s.first = next
		return s.wantTTL(next, 0, 0)
	}
	youngest, oldest := next.sent.Sub(s.first.received), next.received.Sub(s.first.sent)
	life := time.Duration(s.ttl) * time.Second
	renewed := next.Addr != s.first.Addr
	switch {
	case renewed && oldest < life:
		return fmt.Errorf("another entry after at most %s: %+v", oldest, next)
	case !renewed && youngest >= life:
		return fmt.Errorf("the same entry after at least %s: %+v", youngest, next)
	case renewed:
		s.first = next
		s.renewals++
		return s.wantTTL(next, 0, 0)
	}
	return s.wantTTL(next, youngest, oldest)
}

func (s *sequence) wantTTL(got told, youngest, oldest time.Duration) error {
	most, least := s.ttl-uint32(max(youngest, 0)/time.Second), s.ttl-min(uint32(oldest/time.Second), s.ttl)
	if got.TTL < least || got.TTL > most {
		return fmt.Errorf("TTL %d of an entry between %s and %s old, want %d to %d", got.TTL, youngest, oldest, least, most)
	}
	return nil
}

// TestAsCoreDNS holds what our cache and CoreDNS' tell over six seconds, an entry's end among them, to one rule: asked at a
// quarter and at three quarters of each second.
func TestAsCoreDNS(t *testing.T) {
	s, ours := startAuthority(t, time.Millisecond)
	_, _, coredns := startBehindCoreDNS(t, time.Millisecond)
	caches := map[string]string{"ours": startResolver(t, ours).addr(), "CoreDNS": coredns}
	positive := map[string]*sequence{"ours": {ttl: uint32(s.TTL)}, "CoreDNS": {ttl: uint32(s.TTL)}}
	negative := map[string]*sequence{"ours": {ttl: 3600}, "CoreDNS": {ttl: 3600}} // as noData says
	begin := time.Now()
	for i := range 13 {
		if err := pause.For(t.Context(), time.Until(begin.Add(time.Duration(i)*500*time.Millisecond+rankDelay(i)))); err != nil {
			t.Fatal(err)
		}
		for name, server := range caches {
			if err := positive[name].judge(ask(t, server, dns.Fqdn(s.host()), dns.TypeA)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if err := negative[name].judge(ask(t, server, dns.Fqdn(s.host()), dns.TypeAAAA)); err != nil {
				t.Errorf("%s, no address: %v", name, err)
			}
		}
	}
	for name := range caches {
		if positive[name].renewals == 0 || negative[name].renewals > 0 {
			t.Errorf("%s: %d entries with addresses ended, and %d without", name, positive[name].renewals, negative[name].renewals)
		}
	}
}

func TestSequence(t *testing.T) {
	at := func(ms int, ttl uint32, addr string) told {
		sent := time.Unix(1000, 0).Add(time.Duration(ms) * time.Millisecond)
		return told{TTL: ttl, Addr: addr, sent: sent, received: sent.Add(10 * time.Millisecond)}
	}
	for name, tc := range map[string]struct {
		answers []told
		want    string
	}{
		"as it should":     {answers: []told{at(0, 5, "a"), at(750, 5, "a"), at(1250, 4, "a"), at(4750, 1, "a"), at(5250, 5, "b"), at(6500, 4, "b")}},
		"cannot be known":  {answers: []told{at(0, 5, "a"), at(995, 5, "a"), at(1005, 4, "a"), at(4995, 5, "b")}},
		"full TTL":         {answers: []told{at(0, 5, "a"), at(1250, 5, "a")}, want: "TTL 5"},
		"rounded up":       {answers: []told{at(0, 5, "a"), at(750, 4, "a")}, want: "TTL 4"},
		"begins lower":     {answers: []told{at(0, 4, "a")}, want: "TTL 4"},
		"lives on":         {answers: []told{at(0, 5, "a"), at(5250, 0, "a")}, want: "the same entry"},
		"renewed early":    {answers: []told{at(0, 5, "a"), at(4250, 5, "b")}, want: "another entry"},
		"renewed, reduced": {answers: []told{at(0, 5, "a"), at(5250, 4, "b")}, want: "TTL 4"},
	} {
		sequence, got := sequence{ttl: 5}, error(nil)
		for _, answer := range tc.answers {
			got = errors.Join(got, sequence.judge(answer))
		}
		if tc.want == "" && got != nil || tc.want != "" && (got == nil || !strings.Contains(got.Error(), tc.want)) {
			t.Errorf("%s: %v, want %q", name, got, tc.want)
		}
	}
}

// rankDelay keeps the questions after the first away from where a TTL falls.
func rankDelay(i int) time.Duration {
	return time.Duration(boolToInt(i > 0)) * 250 * time.Millisecond
}

func TestEntryEndsExactly(t *testing.T) {
	stored := time.Unix(1000, 0)
	e := entry{ttl: 5, stored: stored}
	for after, want := range map[time.Duration]uint32{
		0: 5, time.Second - 1: 5, time.Second: 4, 5*time.Second - 1: 1, 5 * time.Second: 0, time.Minute: 0,
	} {
		if got := e.left(stored.Add(after)); got != want {
			t.Errorf("after %s: %d", after, got)
		}
	}
}

// TestMissesAreNotShared asks from ten clients at once: each is told another set, and one of these is kept.
func TestMissesAreNotShared(t *testing.T) {
	s, a := startAuthority(t, 50*time.Millisecond)
	r := startResolver(t, a)
	at := &site{shape: s, upstreams: []string{r.addr()}}
	found := make([]lookup, 10)
	var asking sync.WaitGroup
	for i := range found {
		conn, err := dns.Dial("udp", r.addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		asking.Go(func() {
			l, err := (&pod{site: at, conns: []*dns.Conn{conn}}).ask()
			if err != nil {
				t.Error(err)
				return
			}
			found[i] = l
		})
	}
	asking.Wait()
	sets, orphans := map[netip.Addr]bool{}, 0
	for _, l := range found {
		if len(l.addrs) == 0 {
			continue // reported above
		}
		sets[l.addrs[0]] = true
		_, orphan, known := r.fate(l.entry)
		if !known {
			t.Errorf("entry %d is not known", l.entry)
		}
		orphans += boolToInt(orphan)
	}
	if len(sets) != 10 || orphans != 9 || a.given() != 10 {
		t.Errorf("%d sets, %d orphans, %d answers", len(sets), orphans, a.given())
	}
	if queries, renewals := r.counters(); queries != 0 || renewals != 1 {
		t.Errorf("%d queries of others than pods, %d renewals", queries, renewals)
	}
	if held := a.held(time.Now()); len(held) != 40 {
		t.Errorf("%d addresses are held by answers", len(held))
	}
	if held := a.held(time.Now().Add(6 * time.Second)); len(held) != 0 {
		t.Errorf("%d addresses are held by answers that expired", len(held))
	}
}

// TestLearning replaces an entry and tells another than a pod the first and the last.
func TestLearning(t *testing.T) {
	s := shape{Pool: 2, PerAnswer: 1, TTL: 5}
	q := new(dns.Msg).SetQuestion(dns.Fqdn(s.host()), dns.TypeA)
	reply := q.Copy()
	reply.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Ttl: 5}, A: []byte{192, 0, 2, 1}}}
	r := &resolver{entries: map[dns.Question]*entry{}, all: map[uint64]*entry{}}
	t0, fromOther := time.Unix(1000, 0), q.Copy().SetEdns0(1232, false)
	r.answer(fromOther, r.store(q.Question[0], reply, t0), t0)
	kept := r.store(q.Question[0], reply, t0.Add(time.Millisecond))
	r.store(q.Question[0], reply, t0.Add(6*time.Second)) // nobody is told
	r.answer(fromOther, kept, t0.Add(8*time.Millisecond))
	r.answer(fromOther, kept, t0.Add(9*time.Millisecond))
	want := learning{Entries: 2, Unseen: 1, Orphans: 1, After: []int64{7}}
	if diff := cmp.Diff(want, r.learning(t0, t0.Add(time.Minute))); diff != "" {
		t.Error(diff)
	}
	if queries, renewals := r.counters(); queries != 3 || renewals != 2 {
		t.Errorf("%d queries, %d renewals", queries, renewals)
	}
}

// TestCoreDNSDoesNotShareMisses is why ours does not: ten queries that miss together are ten upstream.
func TestCoreDNSDoesNotShareMisses(t *testing.T) {
	s, a, server := startBehindCoreDNS(t, 50*time.Millisecond)
	var asking sync.WaitGroup
	for range 10 {
		asking.Go(func() {
			if _, err := dns.Exchange(new(dns.Msg).SetQuestion(dns.Fqdn(s.host()), dns.TypeA), server); err != nil {
				t.Error(err)
			}
		})
	}
	asking.Wait()
	if given := a.given(); given != 10 {
		t.Errorf("%d answers of the authoritative server", given)
	}
}

// startBehindCoreDNS puts CoreDNS before an authoritative server.
func startBehindCoreDNS(t *testing.T, trip time.Duration) (s shape, a *authority, server string) {
	t.Helper()
	binary, err := apiserver.InstalledCoreDNS()
	if err != nil {
		t.Fatal(err)
	}
	s, a = startAuthority(t, trip)
	server, err = freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c, err := startCoreDNS(t.Context(), binary, dir, dir, corefile(map[string]string{server: a.Addr().String()}, 3600, ""))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Kill)
	return s, a, server
}
