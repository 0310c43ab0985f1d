// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

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

const (
	// maxMessage is how long an answer may be. It holds a thousand addresses, as many as are kept of a name.
	maxMessage = 16 << 10
	// maxUnpacked is how long it may be without compression: a thousand addresses of a name of 114 octets. Names that point
	// at each other would make it megabytes.
	maxUnpacked = 8 * maxMessage
	// minRecord is the length of the shortest record: an owner of one octet, and no data.
	minRecord = 11
)

var errMessageSize = errors.New("message longer than 65535 bytes")

// outgoing is a query on the wire. What answers it repeats its ID and its question.
type outgoing []byte

// newQuery is what a stub resolver sends: RD set, no DO and no CD, because caches key on these and ours must be the
// entry that the pods get. Padded, its length tells nobody the name; that takes EDNS, and something that encrypts it.
func newQuery(q Question, edns, padded bool) (outgoing, error) {
	id, err := newID()
	if err != nil {
		return nil, err
	}
	m := dns.Msg{
		MsgHdr:   dns.MsgHdr{Id: id, RecursionDesired: true},
		Question: []dns.Question{{Name: q.qname(), Qtype: q.qtype(), Qclass: dns.ClassINET}},
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

// rejects returns why b is no answer to the query, or nothing. It looks at the ID and the question only, and unpacks
// nothing: whoever can send us messages must not make us work for those that we do not want. A message without a
// question may be an error of a server that did not read it. Names compare without case (RFC 4343).
func (sent outgoing) rejects(b []byte) (reason string) {
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

// unpack reads a message that was not rejected; cut: there may have been more of it. It returns a reason instead if the
// message is not the answer. Of a truncated message only the question is used, so the rest need not be whole.
func unpack(b []byte, cut bool) (*dns.Msg, string) {
	m, at, err := unpackHead(b)
	if err != nil {
		return nil, ReasonMalformed
	}
	if cut = cut || m.Truncated; cut && len(m.Question) == 1 {
		m.Truncated = true
		return m, ""
	}
	budget := maxUnpacked
	for i, section := range [...]*[]dns.RR{&m.Answer, &m.Ns, &m.Extra} {
		if at == len(b) && len(m.Question) == 0 {
			break // some servers cut an error off after the header, whatever it counts
		}
		if *section, at, err = unpackRecords(b, at, promised(b, i+1), &budget); err != nil {
			return nil, ReasonMalformed
		}
	}
	if opt := m.IsEdns0(); opt != nil {
		m.Rcode |= opt.ExtendedRcode()
	}
	if len(m.Question) == 0 && !isBareError(m) {
		return nil, ReasonMismatch
	}
	return m, ""
}

// unpackHead reads the header and the question, and returns where the records begin.
func unpackHead(b []byte) (m *dns.Msg, at int, err error) {
	at = headerSize
	if promised(b, 0) == 1 {
		at += len(question(b))
	}
	head := append(make([]byte, 0, at), b[:at]...)
	clear(head[countsAt+2 : headerSize]) // no records
	m = new(dns.Msg)
	return m, at, m.Unpack(head)
}

var (
	errMissingRecords = errors.New("fewer records than the header promises")
	errManyOctets     = errors.New("too long without compression")
)

// unpackRecords reads n records and takes their length without compression from the budget. A message that ends between
// two of them is not whole: the missing ones would be addresses that we drop.
func unpackRecords(b []byte, at, n int, budget *int) ([]dns.RR, int, error) {
	if n == 0 {
		return nil, at, nil
	}
	if n > (len(b)-at)/minRecord {
		return nil, at, errMissingRecords
	}
	records := make([]dns.RR, 0, n)
	for range n {
		rr, next, err := dns.UnpackRR(b, at)
		if err != nil {
			return nil, at, err
		}
		if *budget -= dns.Len(rr); *budget < 0 {
			return nil, at, errManyOctets
		}
		records, at = append(records, rr), next
	}
	return records, at, nil
}

// readFrame reads one message of a TCP or TLS stream: two bytes of length, then the message (RFC 1035 section 4.2.2). It
// returns an *Error for one that is longer than maxMessage, of which it reads nothing.
func readFrame(r io.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint16(length[:])
	if n > maxMessage {
		return nil, &Error{Reason: ReasonTooLong, Err: fmt.Errorf("%d bytes", n)}
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return b, err
}

// writeFrame writes length and message at once: two writes would be two packets.
func writeFrame(w io.Writer, b []byte) error {
	if len(b) > math.MaxUint16 {
		return errMessageSize
	}
	_, err := w.Write(append(binary.BigEndian.AppendUint16(make([]byte, 0, len(b)+2), uint16(len(b))), b...))
	return err
}
