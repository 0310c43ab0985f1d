// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsmsg

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// maxLinks is the longest CNAME chain that is followed. Real ones have up to five links; resolvers give up between
// eight and sixteen.
const maxLinks = 16

// chain is where the CNAME records of an answer lead.
type chain struct {
	path []string // the names on the way: the question's first, the one whose addresses count last
	ttl  uint32   // the lowest of the links; MaxInt32 without any
}

func (c chain) end() string { return c.path[len(c.path)-1] }

// aliases are the names of the path that have a CNAME record.
func (c chain) aliases() []string { return c.path[:len(c.path)-1] }

// follow walks the CNAME records from name. It fails closed: a chain that can be read in two ways, never ends or is
// very long says nothing. CNAME records that a server made from a DNAME (RFC 6672 section 3.1) are links as any other.
func follow(name string, answer []dns.RR) (chain, error) {
	c := chain{path: []string{name}, ttl: math.MaxInt32}
	for {
		link, err := linkAt(c.end(), answer)
		if err != nil || link == nil {
			return c, err
		}
		if contains(c.path, link.Target) {
			return c, &Error{Reason: ReasonLoop, Err: fmt.Errorf("back at %s", link.Target)}
		}
		c.path = append(c.path, link.Target)
		c.ttl = min(c.ttl, ttlOf(&link.Hdr))
		if len(c.aliases()) > maxLinks {
			return c, &Error{Reason: ReasonLongChain, Err: fmt.Errorf("more than %d links", maxLinks)}
		}
	}
}

// contains tells whether name is one of names, in any case (RFC 4343).
func contains(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// linkAt returns the CNAME record of owner, nil if it has none. A name has at most one CNAME, and none beside other
// data (RFC 1034 section 3.6.2, RFC 2181 section 10.1). Where a server breaks this, taking the addresses would admit
// what the chain does not lead to, and taking the chain would drop what may be right: neither.
func linkAt(owner string, answer []dns.RR) (*dns.CNAME, error) {
	var link *dns.CNAME
	addresses := false
	for _, rr := range answer {
		h := rr.Header()
		if h.Class != dns.ClassINET || !strings.EqualFold(h.Name, owner) {
			continue
		}
		addresses = addresses || h.Rrtype == dns.TypeA || h.Rrtype == dns.TypeAAAA
		cname, ok := rr.(*dns.CNAME)
		switch {
		case !ok:
		case link == nil:
			link = cname
		case !strings.EqualFold(link.Target, cname.Target):
			return nil, &Error{Reason: ReasonAmbiguous, Err: fmt.Errorf("%s has two", owner)}
		default:
			link = lowerTTL(link, cname)
		}
	}
	if link != nil && addresses {
		return nil, &Error{Reason: ReasonAmbiguous, Err: fmt.Errorf("%s has addresses too", owner)}
	}
	return link, nil
}

func lowerTTL(a, b *dns.CNAME) *dns.CNAME {
	if ttlOf(&b.Hdr) < ttlOf(&a.Hdr) {
		return b
	}
	return a
}

// stray tells what is wrong with an answer section that has no address at the chain's end, but has records that the chain
// does not account for; nil if it has none. Such an answer is about something else, so it says nothing of an absence.
// CoreDNS' plugin rewrite makes them when it renames the question and not the answer.
func (c chain) stray(answer []dns.RR) *Error {
	var e *Error
	for _, rr := range answer {
		owner := rr.Header().Name
		switch {
		case c.has(rr):
		case strings.EqualFold(owner, c.end()):
			if e == nil {
				e = &Error{Reason: ReasonUnasked}
			}
		case e == nil || e.Owner == "" || owner < e.Owner: // the first by name, as records come in any order
			e = &Error{Reason: ReasonOtherOwner, Owner: owner}
		}
	}
	return e
}

// has tells whether a record is one of the chain's: a link, the DNAME that it was made from, or the signature of either.
func (c chain) has(rr dns.RR) bool {
	h := rr.Header()
	if h.Class != dns.ClassINET {
		return false
	}
	rrtype := h.Rrtype
	if sig, ok := rr.(*dns.RRSIG); ok {
		rrtype = sig.TypeCovered
	}
	switch rrtype {
	case dns.TypeCNAME:
		return contains(c.aliases(), h.Name)
	case dns.TypeDNAME:
		return slices.ContainsFunc(c.aliases(), func(alias string) bool { return dns.IsSubDomain(h.Name, alias) })
	}
	return false
}
