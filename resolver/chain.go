// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

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
	end   string // the name whose addresses count
	links int
	ttl   uint32 // the lowest of the links; MaxInt32 without any
}

// follow walks the CNAME records from name. It fails closed: a chain that can be read in two ways, never ends or is
// very long says nothing. CNAME records that a server made from a DNAME (RFC 6672 section 3.1) are links as any other.
func follow(name string, answer []dns.RR) (chain, error) {
	c := chain{end: name, ttl: math.MaxInt32}
	visited := []string{name}
	for {
		link, err := linkAt(c.end, answer)
		if err != nil || link == nil {
			return c, err
		}
		c.end = link.Target
		c.ttl = min(c.ttl, ttlOf(&link.Hdr))
		c.links++
		if slices.ContainsFunc(visited, func(v string) bool { return strings.EqualFold(v, c.end) }) {
			return c, &Error{Reason: ReasonLoop, Err: fmt.Errorf("back at %s", c.end)}
		}
		if c.links > maxLinks {
			return c, &Error{Reason: ReasonLongChain, Err: fmt.Errorf("more than %d links", maxLinks)}
		}
		visited = append(visited, c.end)
	}
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
