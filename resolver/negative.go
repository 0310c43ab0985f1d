// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

// negative reads an answer without addresses at the chain's end. RCODE NXDOMAIN speaks of that end (RFC 6604 section
// 3). NOERROR is NODATA only if the message can mean it: a negative answer ages addresses out, so what may be a partial
// answer is an error instead.
func negative(m *dns.Msg, c chain) (addressbook.Answer, error) {
	soa := soaFor(c.end, m.Ns)
	a := addressbook.Answer{Outcome: addressbook.NoData, TTL: min(negativeTTL, seconds(c.ttl))}
	if soa != nil {
		a.TTL = seconds(min(ttlOf(&soa.Hdr), topBitZero(soa.Minttl), c.ttl))
	}
	if m.Rcode == dns.RcodeNameError {
		a.Outcome = addressbook.NXDomain
		return a, nil
	}
	if soa == nil {
		if err := absenceOfSOA(m, c); err != nil {
			return addressbook.Answer{}, err
		}
	}
	return a, nil
}

// absenceOfSOA tells apart what RFC 2308 section 2.2 calls NODATA type 3 (nothing in the authority section) from a
// referral and from a chain whose end nobody looked up.
func absenceOfSOA(m *dns.Msg, c chain) error {
	// AA speaks of the first owner of the answer only (RFC 1035 section 4.1.1), so it does not vouch for a chain's end.
	authoritative := m.Authoritative && c.links == 0
	switch {
	case authoritative:
		return nil
	case hasNS(m.Ns):
		// NS records without a SOA record are a referral (RFC 2308 section 2.2). RA does not change that: forwarders set
		// it on what they pass on.
		return &Error{Reason: ReasonReferral}
	case !m.RecursionAvailable:
		// Neither authoritative nor recursive: the server has not looked.
		return &Error{Reason: ReasonNotRecursive}
	}
	return nil
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

func hasNS(authority []dns.RR) bool {
	for _, rr := range authority {
		if rr.Header().Rrtype == dns.TypeNS {
			return true
		}
	}
	return false
}
