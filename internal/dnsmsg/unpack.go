// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsmsg

import (
	"errors"

	"github.com/miekg/dns"
)

// Message is a DNS message, under a name that lets others pass it on without knowing its type.
type Message dns.Msg

// RefusesEDNS tells whether a server answered so because it does not know EDNS (RFC 6891 section 7).
func (m *Message) RefusesEDNS() bool {
	return m.Rcode == dns.RcodeFormatError || m.Rcode == dns.RcodeNotImplemented || m.Rcode == dns.RcodeBadVers
}

// Unpack reads a message that a Query does not reject; cut: there may have been more of it, and it counts as truncated. It
// returns a reason instead if the message is not the answer. Of a truncated message only the question is used, so the rest need not be whole.
func Unpack(b []byte, cut bool) (*Message, string) {
	m, at, err := unpackHead(b)
	if err != nil {
		return nil, ReasonMalformed
	}
	if cut = cut || m.Truncated; cut && len(m.Question) == 1 {
		m.Truncated = true
		return (*Message)(m), ""
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
	return (*Message)(m), ""
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
