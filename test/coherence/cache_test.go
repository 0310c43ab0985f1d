// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
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
	TTL  uint32
	Addr string
}

func ask(t *testing.T, server, name string, qtype uint16) told {
	t.Helper()
	m, err := dns.Exchange(new(dns.Msg).SetQuestion(name, qtype), server)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Answer) == 0 {
		return told{TTL: m.Ns[0].Header().Ttl}
	}
	return told{m.Answer[0].Header().Ttl, addressesIn(m)[0].String()}
}

// TestAsCoreDNS compares what our cache and CoreDNS' tell over six seconds, an entry's end among them: asked together, at
// a quarter and at three quarters of each second.
func TestAsCoreDNS(t *testing.T) {
	s, ours := startAuthority(t, time.Millisecond)
	_, _, server := startBehindCoreDNS(t, time.Millisecond)
	servers := []string{startResolver(t, ours).addr(), server}
	begin := time.Now()
	var got [2][]told
	for i := range 13 {
		if err := sleep(t.Context(), time.Until(begin.Add(time.Duration(i)*500*time.Millisecond+rankDelay(i)))); err != nil {
			t.Fatal(err)
		}
		for j, server := range servers {
			got[j] = append(got[j], ask(t, server, dns.Fqdn(s.host()), dns.TypeA), ask(t, server, dns.Fqdn(s.host()), dns.TypeAAAA))
		}
	}
	if diff := cmp.Diff(got[1], got[0]); diff != "" {
		t.Errorf("-CoreDNS +ours: %s", diff)
	}
	if got[0][0].Addr == got[0][24].Addr {
		t.Errorf("the entry did not end: %v", got[0])
	}
}

// rankDelay keeps the questions after the first away from where a TTL falls.
func rankDelay(i int) time.Duration {
	return time.Duration(rank(i > 0)) * 250 * time.Millisecond
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
		orphans += rank(orphan)
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

// startBehindCoreDNS skips the test where the binary is not there.
func startBehindCoreDNS(t *testing.T, trip time.Duration) (s shape, a *authority, server string) {
	t.Helper()
	binary := os.ExpandEnv("$HOME/.cache/fqdn-egress/coredns-v1.14.6/coredns")
	if _, err := os.Stat(binary); err != nil {
		t.Skip(err)
	}
	s, a = startAuthority(t, trip)
	server, err := freeAddress()
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
