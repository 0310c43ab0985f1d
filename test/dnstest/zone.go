// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnstest

import (
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// TTL is the time to live of records, in whole seconds.
type TTL time.Duration

func (t TTL) seconds() uint32 { return uint32(time.Duration(t) / time.Second) }

// maxChase bounds how far the server follows its own CNAME records.
const maxChase = 64

// defaultSOA is given with negative answers where no zone has been set.
const defaultSOA = ". 30 IN SOA ns.dnstest. admin.dnstest. 1 3600 600 86400 30"

type rrset struct {
	records []dns.RR
	rotate  Rotation // nil: all records in the given order
}

func (s *rrset) pick() []dns.RR {
	if s.rotate == nil {
		return s.records
	}
	return s.rotate(s.records)
}

// zone holds all names in one flat table, whatever zones they would be in.
type zone struct {
	mu    sync.Mutex
	names map[string]map[uint16]*rrset // lower case with the trailing dot; "*." for a wildcard
	soa   dns.RR
}

func newZone() *zone {
	return &zone{names: map[string]map[uint16]*rrset{}, soa: mustRR(defaultSOA)}
}

// Set makes name have exactly these addresses, each in the family that it is of; without any, name exists and has no
// data. A name "*.example.com" stands for all names below that are not set themselves.
func (s *Server) Set(name string, ttl TTL, addrs ...string) {
	s.set(name, ttl, nil, addrs)
}

// Pool makes name have a pool of addresses of which each answer holds some, as rotation says; in each family on its
// own, with one rotation each when both are there.
func (s *Server) Pool(name string, ttl TTL, rotation func() Rotation, addrs ...string) {
	s.set(name, ttl, rotation, addrs)
}

func (s *Server) set(name string, ttl TTL, rotation func() Rotation, addrs []string) {
	owner := dns.CanonicalName(name)
	sets := map[uint16]*rrset{}
	for _, a := range addrs {
		rr := addressRR(owner, ttl, netip.MustParseAddr(a))
		set := sets[rr.Header().Rrtype]
		if set == nil {
			set = &rrset{}
			if rotation != nil {
				set.rotate = rotation()
			}
			sets[rr.Header().Rrtype] = set
		}
		set.records = append(set.records, rr)
	}
	s.zone.mu.Lock()
	defer s.zone.mu.Unlock()
	s.zone.names[owner] = sets
}

// Zone adds records in zone file text, one a line with a TTL each. The records of one owner and type replace those
// that were set before. A SOA record serves the negative answers of the names below its owner.
func (s *Server) Zone(text string) {
	sets := map[string]map[uint16]*rrset{}
	parser := dns.NewZoneParser(strings.NewReader(text), ".", "")
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		owner := dns.CanonicalName(rr.Header().Name)
		rr.Header().Name = owner
		if sets[owner] == nil {
			sets[owner] = map[uint16]*rrset{}
		}
		set := sets[owner][rr.Header().Rrtype]
		if set == nil {
			set = &rrset{}
			sets[owner][rr.Header().Rrtype] = set
		}
		set.records = append(set.records, rr)
	}
	if err := parser.Err(); err != nil {
		panic(fmt.Sprintf("dnstest: bad zone text: %v", err))
	}
	s.zone.mu.Lock()
	defer s.zone.mu.Unlock()
	for owner, types := range sets {
		if s.zone.names[owner] == nil {
			s.zone.names[owner] = types
			continue
		}
		maps.Copy(s.zone.names[owner], types)
	}
}

// Chain makes name a chain of that many CNAME records, which ends at the addresses.
func (s *Server) Chain(name string, ttl TTL, links int, addrs ...string) {
	owner := dns.CanonicalName(name)
	var text strings.Builder
	for i := range links {
		target := fmt.Sprintf("link%d.%s", i+1, dns.CanonicalName(name))
		fmt.Fprintf(&text, "%s %d IN CNAME %s\n", owner, ttl.seconds(), target)
		owner = target
	}
	s.Zone(text.String())
	s.Set(owner, ttl, addrs...)
}

// Remove makes name unknown.
func (s *Server) Remove(name string) {
	s.zone.mu.Lock()
	defer s.zone.mu.Unlock()
	delete(s.zone.names, dns.CanonicalName(name))
}

func addressRR(owner string, ttl TTL, addr netip.Addr) dns.RR {
	header := dns.RR_Header{Name: owner, Class: dns.ClassINET, Ttl: ttl.seconds()}
	if addr.Is4() {
		header.Rrtype = dns.TypeA
		return &dns.A{Hdr: header, A: addr.AsSlice()}
	}
	header.Rrtype = dns.TypeAAAA
	return &dns.AAAA{Hdr: header, AAAA: addr.AsSlice()}
}

func mustRR(text string) dns.RR {
	rr, err := dns.NewRR(text)
	if err != nil {
		panic(fmt.Sprintf("dnstest: bad record %q: %v", text, err))
	}
	return rr
}
