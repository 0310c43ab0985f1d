// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsmsg

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// negativeTTL is how long a negative answer without a SOA record lasts. RFC 2308 section 5 would not have it cached at
// all; asking again at once would not make it better known.
const negativeTTL = 30 * time.Second

// Outcome is what a good answer says.
type Outcome uint8

// The outcomes.
const (
	Good     Outcome = iota // the name has addresses
	NoData                  // the name exists, and has no addresses of the type
	NXDomain                // the name does not exist
)

// Answer is what a message says about a question.
type Answer struct {
	Outcome Outcome
	Addrs   []netip.Addr // sorted and distinct; none unless Good
	TTL     time.Duration
}

// Reading is an Answer with the way that it went.
type Reading struct {
	Answer
	// Path is the chain of aliases: the question's Host first, the name whose addresses count last. It is never empty.
	Path []string
	// Unproven: Answer is NoData, and the message does not prove it. If nothing else does, it is this failure. Nil: Answer is
	// what the message says.
	Unproven *Error
}

// Read takes from a message what it says about q, or an *Error when it says nothing: then nothing that was known may be
// dropped. It trusts only records of class IN that the CNAME chain from q's name leads to, wherever they stand
// in the answer section (RFC 2181 section 5 gives records no order). It is pure and does not change m.
//
//	RCODE      answer section                      authority section             outcome
//	NOERROR    addresses at the chain's end        anything                      Good
//	NXDOMAIN   addresses at the chain's end        anything                      malformed answer
//	either     an endless, long or forked chain    anything                      CNAME loop, CNAME chain too long, contradictory CNAME
//	either     no chain, records of other owners   anything                      answer about another name
//	either     no chain, other records of q's name anything                      records that were not asked for
//	NXDOMAIN   empty, or a chain                   anything                      NXDomain
//	NOERROR    empty, or a chain                   SOA of a zone around the end  NoData
//	NOERROR    empty                               NS, no such SOA               referral instead of an answer
//	NOERROR    a chain                             NS of the end's zone          referral instead of an answer
//	NOERROR    empty, or a chain                   nothing, or anything else     no recursion, or no addresses and no SOA record
//	any other  anything                            anything                      the RCODE in capitals
//
// "A chain" is one that accounts for every record: one with records of other owners beside it, and no address at its end,
// is an answer about another name. NXDOMAIN speaks of the chain's end (RFC 6604 section 3). The AA bit proves nothing, as CoreDNS
// sets it on all that its cache kept; nor does RA, which forwarders set on what they pass on.
//
// The outcome of the last but one row is Reading.Unproven: it is not final, as the other family of the name may prove it.
//
// The TTL is the lowest of the chain's and the addresses'; of a negative answer min(SOA TTL, MINIMUM) instead of the
// addresses' (RFC 2308 section 5). Addresses are sorted and distinct, and as they came: IPv4-mapped ones too.
func Read(q Question, message *Message) (Reading, error) {
	m := (*dns.Msg)(message)
	if err := unusable(q, m); err != nil {
		return Reading{}, err
	}
	c, err := follow(q.Host(), m.Answer)
	if err != nil {
		return Reading{}, err
	}
	addrs, ttl, err := addressesAt(c.end(), q.qtype(), m.Answer)
	switch {
	case err != nil:
		return Reading{}, err
	case len(addrs) == 0:
		return negative(m, c)
	case m.Rcode == dns.RcodeNameError:
		// The name does not exist and has addresses: one of the two is a lie.
		return Reading{}, &Error{Reason: ReasonMalformed, Err: fmt.Errorf("NXDOMAIN with addresses")}
	}
	return Reading{Answer: Answer{Outcome: Good, Addrs: addrs, TTL: seconds(min(ttl, c.ttl))}, Path: c.path}, nil
}

// unusable tells why m says nothing about q, whatever records it has.
func unusable(q Question, m *dns.Msg) error {
	switch {
	case isBareError(m):
		return rcodeError(m.Rcode)
	case !answers(m, q.Host(), q.qtype()):
		return &Error{Reason: ReasonMismatch}
	case m.Truncated:
		return &Error{Reason: ReasonTruncated}
	case m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError:
		return rcodeError(m.Rcode)
	}
	return nil
}

// isBareError recognises what servers send that cannot or will not read the question: an error without it. To believe
// it costs nothing, as an attacker who guesses ID and port knows the question too.
func isBareError(m *dns.Msg) bool {
	return m.Response && len(m.Question) == 0 && len(m.Answer) == 0 &&
		m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError
}

// answers tells whether m is a response to exactly this question. Names compare without case (RFC 4343): a server may
// echo what it likes.
func answers(m *dns.Msg, qname string, qtype uint16) bool {
	return m.Response && m.Opcode == dns.OpcodeQuery && len(m.Question) == 1 &&
		m.Question[0].Qtype == qtype && m.Question[0].Qclass == dns.ClassINET &&
		strings.EqualFold(m.Question[0].Name, qname)
}

// addressesAt returns the addresses of one type that owner has, and the lowest of their TTLs; the RRset may disagree
// (RFC 2181 section 5.2 forbids it, servers do it).
func addressesAt(owner string, qtype uint16, answer []dns.RR) ([]netip.Addr, uint32, error) {
	var addrs []netip.Addr
	lowest := uint32(math.MaxUint32)
	for _, rr := range answer {
		h := rr.Header()
		if h.Rrtype != qtype || h.Class != dns.ClassINET || !strings.EqualFold(h.Name, owner) {
			continue
		}
		addr, ok := addressOf(rr)
		if !ok {
			return nil, 0, &Error{Reason: ReasonMalformed, Err: fmt.Errorf("a record of %s has no address", dns.TypeToString[qtype])}
		}
		if addrs == nil {
			addrs = make([]netip.Addr, 0, len(answer))
		}
		addrs = append(addrs, addr)
		lowest = min(lowest, ttlOf(h))
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	return slices.Compact(addrs), lowest, nil
}

// addressOf fails for a record without data, which is legal only in updates (RFC 2136 section 2.4).
func addressOf(rr dns.RR) (netip.Addr, bool) {
	switch rr := rr.(type) {
	case *dns.A:
		return netip.AddrFromSlice(rr.A.To4())
	case *dns.AAAA:
		return netip.AddrFromSlice(rr.AAAA)
	}
	return netip.Addr{}, false
}

// ttlOf treats a TTL with its top bit set as zero (RFC 2181 section 8).
func ttlOf(h *dns.RR_Header) uint32 { return topBitZero(h.Ttl) }

func topBitZero(ttl uint32) uint32 {
	if ttl > math.MaxInt32 {
		return 0
	}
	return ttl
}

func seconds(ttl uint32) time.Duration { return time.Duration(ttl) * time.Second }
