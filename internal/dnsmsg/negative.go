// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsmsg

import (
	"github.com/miekg/dns"
)

// negative reads an answer without addresses at the chain's end; Read has the table. A negative answer ages addresses
// out, so whatever may be a partial answer, or one about something else, is a failure instead.
func negative(m *dns.Msg, c chain) (Reading, error) {
	if e := c.stray(m.Answer); e != nil {
		return Reading{}, e
	}
	r := Reading{Answer: Answer{Outcome: NoData, TTL: min(negativeTTL, seconds(c.ttl))}, Path: c.path}
	soa := soaFor(c.end(), m.Ns)
	if soa != nil {
		r.TTL = seconds(min(ttlOf(&soa.Hdr), topBitZero(soa.Minttl), c.ttl))
	}
	switch {
	case m.Rcode == dns.RcodeNameError:
		r.Outcome = NXDomain
	case soa != nil:
	case refers(m.Ns, c):
		return Reading{}, &Error{Reason: ReasonReferral}
	case m.RecursionAvailable:
		r.Unproven = &Error{Reason: ReasonUnproven}
	default:
		r.Unproven = &Error{Reason: ReasonNotRecursive}
	}
	return r, nil
}

// refers tells whether the authority section is a referral: NS records where a SOA record should be (RFC 2308 section 2.2). Behind
// an alias only NS records of the root, or of the zone of the alias' end, are one. Those of the alias' own zone are what some
// servers add to every answer: CoreDNS' plugin file does.
func refers(authority []dns.RR, c chain) bool {
	for _, rr := range authority {
		zone := rr.Header().Name
		switch {
		case rr.Header().Rrtype != dns.TypeNS:
		case len(c.aliases()) == 0, zone == ".":
			return true
		case dns.IsSubDomain(zone, c.end()) && !dns.IsSubDomain(zone, c.path[0]):
			return true
		}
	}
	return false
}

// soaFor returns the SOA record of a zone that name is in.
func soaFor(name string, authority []dns.RR) *dns.SOA {
	for _, rr := range authority {
		soa, ok := rr.(*dns.SOA)
		if ok && soa.Hdr.Class == dns.ClassINET && dns.IsSubDomain(soa.Hdr.Name, name) {
			return soa
		}
	}
	return nil
}
