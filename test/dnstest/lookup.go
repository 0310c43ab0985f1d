// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnstest

import (
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// found is the outcome of a lookup. Its records are shared with the zone: read only.
type found struct {
	rcode             int
	answer, authority []dns.RR
}

// lookup answers as a recursive server would: it follows CNAME records within the zone.
func (z *zone) lookup(name string, qtype uint16) found {
	z.mu.Lock()
	defer z.mu.Unlock()
	var f found
	var visited []string
	for range maxChase {
		sets, known := z.at(name)
		switch {
		case !known:
			f.rcode = dns.RcodeNameError // of the last name of the chain (RFC 6604)
			f.authority = []dns.RR{z.soaOf(name)}
			return f
		case sets[qtype] != nil:
			f.answer = append(f.answer, named(name, sets[qtype].pick())...)
			return f
		case sets[dns.TypeCNAME] == nil:
			f.authority = []dns.RR{z.soaOf(name)}
			return f
		case slices.Contains(visited, name):
			return f // a loop: give what there is, as some servers do
		}
		visited = append(visited, name)
		links := named(name, sets[dns.TypeCNAME].pick())
		f.answer = append(f.answer, links...)
		name = dns.CanonicalName(links[0].(*dns.CNAME).Target)
	}
	return f
}

// at finds the records of a name, its own or those of the closest wildcard above.
func (z *zone) at(name string) (map[uint16]*rrset, bool) {
	if sets, ok := z.names[name]; ok {
		return sets, true
	}
	for rest := parent(name); rest != "."; rest = parent(rest) {
		if sets, ok := z.names["*."+rest]; ok {
			return sets, true
		}
	}
	return nil, false
}

func (z *zone) soaOf(name string) dns.RR {
	for ; name != "."; name = parent(name) {
		if set := z.names[name][dns.TypeSOA]; set != nil {
			return set.records[0]
		}
	}
	return z.soa
}

func parent(name string) string {
	if _, rest, _ := strings.Cut(name, "."); rest != "" {
		return rest
	}
	return "."
}

// named gives records of a wildcard the name that was asked for.
func named(name string, records []dns.RR) []dns.RR {
	if len(records) == 0 || records[0].Header().Name == name {
		return records
	}
	renamed := make([]dns.RR, len(records))
	for i, rr := range records {
		renamed[i] = dns.Copy(rr)
		renamed[i].Header().Name = name
	}
	return renamed
}
