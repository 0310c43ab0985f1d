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
	// The place of the flags and of the answer count in the header (RFC 1035 section 4.1.1).
	flagsAt, truncatedBit = 2, 0x02
	countsAt              = 4
)

var errMessageSize = errors.New("message longer than 65535 bytes")

// newQuery is what a stub resolver sends: RD set, no DO and no CD, because caches key on these and ours must be the
// entry that the pods get. Padded, its length tells nobody the name; that takes EDNS, and something that encrypts it.
func newQuery(q Question, edns, padded bool) (wire []byte, id uint16, err error) {
	if id, err = newID(); err != nil {
		return nil, 0, err
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
	if wire, err = m.Pack(); err != nil {
		return nil, 0, fmt.Errorf("packing query: %w", err)
	}
	return wire, id, nil
}

// pad fills a message that has an OPT record up to a multiple of paddingBlock with zeros (RFC 7830 section 3).
func pad(m *dns.Msg) {
	opt, padding := m.IsEdns0(), new(dns.EDNS0_PADDING)
	opt.Option = append(opt.Option, padding)
	if over := m.Len() % paddingBlock; over > 0 {
		padding.Padding = make([]byte, paddingBlock-over)
	}
}

// parse reads a message that came in; cut: there may have been more of it. It returns a reason instead if the message
// is not the answer to our query.
func parse(b []byte, cut bool, id uint16, q Question) (*dns.Msg, string) {
	if len(b) < headerSize {
		return nil, ReasonMalformed
	}
	if binary.BigEndian.Uint16(b) != id {
		return nil, ReasonMismatch
	}
	m := new(dns.Msg)
	err := m.Unpack(b)
	// Only the question of a truncated message is used, so the rest need not be whole.
	cut = cut || b[flagsAt]&truncatedBit != 0
	switch {
	case !answers(m, q.qname(), q.qtype()):
		if err == nil && isBareError(m) {
			return m, ""
		}
		if err != nil {
			return nil, ReasonMalformed
		}
		return nil, ReasonMismatch
	case cut:
		m.Truncated = true
		return m, ""
	case err != nil || !complete(b, m):
		return nil, ReasonMalformed
	}
	return m, ""
}

// complete checks the header's counts, because Unpack takes a message that ends between two records for a whole one:
// the missing records would be addresses that we drop.
func complete(b []byte, m *dns.Msg) bool {
	for i, n := range [...]int{len(m.Question), len(m.Answer), len(m.Ns), len(m.Extra)} {
		if int(binary.BigEndian.Uint16(b[countsAt+2*i:])) != n {
			return false
		}
	}
	return true
}

// readFrame reads one message of a TCP or TLS stream: two bytes of length, then the message (RFC 1035 section 4.2.2).
func readFrame(r io.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint16(length[:]))
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
