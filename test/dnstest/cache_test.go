// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnstest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// TestCacheLike checks the TTLs that CoreDNS' cache hands out: original - floor(age), renewed once nothing is left.
func TestCacheLike(t *testing.T) {
	s := Start(t, CacheLike())
	s.Pool("www.example.com", TTL(3*time.Second), RoundRobin(1), "192.0.2.1", "192.0.2.2")
	s.Zone("alias.example.com. 2 IN CNAME www.example.com.")
	t0 := time.Unix(1000, 0)
	type seen struct {
		TTL  uint32
		Addr string
	}
	at := func(d time.Duration) seen {
		f := s.cache.lookup(s.zone, "www.example.com.", dns.TypeA, t0.Add(d))
		return seen{f.answer[0].Header().Ttl, f.answer[0].(*dns.A).A.String()}
	}
	got := []seen{at(0), at(999 * time.Millisecond), at(time.Second), at(2999 * time.Millisecond), at(3 * time.Second)}
	want := []seen{{3, "192.0.2.1"}, {3, "192.0.2.1"}, {2, "192.0.2.1"}, {1, "192.0.2.1"}, {3, "192.0.2.2"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, rr := range s.cache.lookup(s.zone, "alias.example.com.", dns.TypeA, t0).answer {
		if rr.Header().Ttl != 2 {
			t.Errorf("not the lowest TTL of the answer: %v", rr)
		}
	}
	if got := at(5 * time.Second); got.TTL != 1 {
		t.Errorf("two seconds after its renewal: %v", got)
	}
	s.Flush()
	if got := at(5 * time.Second); got.TTL != 3 {
		t.Errorf("a flushed answer was still there: %v", got)
	}
}

func TestCacheLike_Negative(t *testing.T) {
	s := Start(t, CacheLike())
	s.Zone("example.com. 100 IN SOA ns.example.com. admin.example.com. 1 3600 600 86400 20")
	t0 := time.Unix(1000, 0)
	s.cache.lookup(s.zone, "no.example.com.", dns.TypeA, t0)
	f := s.cache.lookup(s.zone, "no.example.com.", dns.TypeA, t0.Add(5*time.Second))
	if f.rcode != dns.RcodeNameError || f.authority[0].Header().Ttl != 15 {
		t.Errorf("after 5 s: %+v", f)
	}
}

func TestCachedUntilIsWhenAChangeCanBeSeen(t *testing.T) {
	s := Start(t, CacheLike())
	s.Set("www.example.com", TTL(3*time.Second), "192.0.2.1")
	if got := s.CachedUntil("www.example.com", dns.TypeA); !got.IsZero() {
		t.Errorf("before anybody asked: %v", got)
	}
	t0 := time.Unix(1000, 0)
	s.cache.lookup(s.zone, "www.example.com.", dns.TypeA, t0)
	s.cache.lookup(s.zone, "www.example.com.", dns.TypeA, t0.Add(2*time.Second))
	if got, want := s.CachedUntil("www.example.com", dns.TypeA), t0.Add(3*time.Second); !got.Equal(want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := Start(t).CachedUntil("www.example.com", dns.TypeA); !got.IsZero() {
		t.Errorf("without a cache: %v", got)
	}
}

func TestEverNewRepeatsNoAddress(t *testing.T) {
	s := Start(t)
	s.Pool("new.example.com", TTL(time.Second), EverNew(300), "2001:db8::fff0")
	seen := map[string]bool{}
	for range 3 {
		answer := s.zone.lookup("new.example.com.", dns.TypeAAAA).answer
		if len(answer) != 300 {
			t.Fatalf("%d records", len(answer))
		}
		for _, rr := range answer {
			seen[rr.(*dns.AAAA).AAAA.String()] = true
		}
	}
	if len(seen) != 900 || !seen["2001:db8::fff0"] || !seen["2001:db8::1:0"] {
		t.Errorf("%d distinct addresses", len(seen))
	}
}
