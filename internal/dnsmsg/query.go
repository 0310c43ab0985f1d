// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsmsg

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"

	"github.com/miekg/dns"
)

// paddingBlock is what the length of a query over TLS is a multiple of (RFC 8467 section 4.1).
const paddingBlock = 128

// ednsSize is the answer size that is asked for over UDP: what passes every network unfragmented (DNS Flag Day 2020).
const ednsSize = 1232

const (
	headerSize = 12
	// Places in the header, and bits in its flags (RFC 1035 section 4.1.1).
	flagsAt, responseBit, opcodeBits, truncatedBit = 2, 0x80, 0x78, 0x02
	countsAt                                       = 4
	// fixedQuestion is what follows a question's name: type and class. Their values here are below 'A', so to compare
	// them without case is to compare them.
	fixedQuestion = 4
)

// MaxMessage is how many bytes an answer may have. It holds a thousand addresses, as many as are kept of a name.
const MaxMessage = 16 << 10

const (
	// maxUnpacked is how long it may be without compression: a thousand addresses of a name of 114 octets. Names that point
	// at each other would make it megabytes.
	maxUnpacked = 8 * MaxMessage
	// minRecord is the length of the shortest record: an owner of one octet, and no data.
	minRecord = 11
)

// Query is a query on the wire. What answers it repeats its ID and its question.
type Query []byte

// NewQuery makes the query that a stub resolver sends: RD set, no DO and no CD, because caches key on these and ours must be the
// entry that the pods get. Padded, its length tells nobody the name; that takes EDNS, and something that encrypts it. Each query
// has a random ID.
func NewQuery(q Question, edns, padded bool) (Query, error) {
	id, err := newID()
	if err != nil {
		return nil, err
	}
	m := dns.Msg{
		MsgHdr:   dns.MsgHdr{Id: id, RecursionDesired: true},
		Question: []dns.Question{{Name: q.Host(), Qtype: q.qtype(), Qclass: dns.ClassINET}},
	}
	if edns {
		m.SetEdns0(ednsSize, false)
	}
	if edns && padded {
		pad(&m)
	}
	wire, err := m.Pack()
	if err != nil {
		return nil, fmt.Errorf("packing query: %w", err)
	}
	return wire, nil
}

// question is the first entry of the question section of a message whose header is whole; nil if it is cut off or has
// a compressed name, as a first name cannot (RFC 1035 section 4.1.4).
func question(b []byte) []byte {
	for at := headerSize; at < len(b); at += int(b[at]) + 1 {
		if b[at] > 63 { // a pointer, or no label
			return nil
		}
		if b[at] == 0 {
			if end := at + 1 + fixedQuestion; end <= len(b) {
				return b[headerSize:end]
			}
			return nil
		}
	}
	return nil
}

// pad fills a message that has an OPT record up to a multiple of paddingBlock with zeros (RFC 7830 section 3).
func pad(m *dns.Msg) {
	opt, padding := m.IsEdns0(), new(dns.EDNS0_PADDING)
	opt.Option = append(opt.Option, padding)
	if over := m.Len() % paddingBlock; over > 0 {
		padding.Padding = make([]byte, paddingBlock-over)
	}
}

// Rejects returns why b is no answer to the query, or nothing. It looks at the ID and the question only, and unpacks
// nothing: whoever can send us messages must not make us work for those that we do not want. A message without a
// question may be an error of a server that did not read it. Names compare without case (RFC 4343).
func (sent Query) Rejects(b []byte) (reason string) {
	switch {
	case len(b) < headerSize:
		return ReasonMalformed
	case [2]byte(b) != [2]byte(sent), b[flagsAt]&responseBit == 0, b[flagsAt]&opcodeBits != 0:
		return ReasonMismatch
	case promised(b, 0) == 0 || len(b) == headerSize:
		return ""
	}
	switch asked := question(b); {
	case asked == nil:
		return ReasonMalformed
	case promised(b, 0) != 1 || !equalFold(asked, question(sent)):
		return ReasonMismatch
	}
	return ""
}

// equalFold compares names on the wire, where a label's length is below 'A'.
func equalFold(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if lowerASCII(a[i]) != lowerASCII(b[i]) {
			return false
		}
	}
	return true
}

func lowerASCII(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

// promised is how many entries the header promises for a section: question, answer, authority, additional.
func promised(b []byte, section int) int { return int(binary.BigEndian.Uint16(b[countsAt+2*section:])) }

// newID is unpredictable (RFC 5452 section 9.2).
func newID() (uint16, error) {
	var b [2]byte
	if _, err := rand.Read(b[:]); err != nil {
		return 0, fmt.Errorf("choosing a query ID: %w", err)
	}
	return binary.BigEndian.Uint16(b[:]), nil
}
