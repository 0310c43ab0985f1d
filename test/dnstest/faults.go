// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnstest

import (
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// Fault changes one reply. A server applies the faults of a query in the order in which Break got them; a test may
// write its own.
type Fault func(q Query, r *Reply)

type faults struct {
	mu     sync.RWMutex
	byName map[string][]Fault // "" for all names
}

// Break applies faults to the answers for name from now on, in place of those it had; an empty name means all names.
func (s *Server) Break(name string, faults ...Fault) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	if s.faults.byName == nil {
		s.faults.byName = map[string][]Fault{}
	}
	s.faults.byName[plain(name)] = faults
}

// Heal takes the faults of name away; those of all names stay.
func (s *Server) Heal(name string) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	delete(s.faults.byName, plain(name))
}

func (f *faults) of(name string) []Fault {
	f.mu.RLock()
	defer f.mu.RUnlock()
	all, own := f.byName[""], f.byName[name]
	if len(own) == 0 {
		return all
	}
	return slices.Concat(all, own)
}

// Only applies fault to questions of one type.
func Only(qtype uint16, fault Fault) Fault {
	return func(q Query, r *Reply) {
		if q.Type == qtype {
			fault(q, r)
		}
	}
}

// Over applies fault on one transport, "udp", "tcp" or "tls".
func Over(network string, fault Fault) Fault {
	return func(q Query, r *Reply) {
		if q.Net == network {
			fault(q, r)
		}
	}
}

// First applies fault to the first n queries that reach it.
func First(n int64, fault Fault) Fault {
	var seen atomic.Int64
	return func(q Query, r *Reply) {
		if seen.Add(1) <= n {
			fault(q, r)
		}
	}
}

// Before sends a reply with fault ahead of the right one, as an attacker does who is faster.
func Before(fault Fault) Fault {
	return func(q Query, r *Reply) {
		forged := &Reply{Msg: r.Msg.Copy()}
		fault(q, forged)
		r.before = append(r.before, forged)
	}
}

// Drop is a black hole.
func Drop() Fault { return func(_ Query, r *Reply) { r.Drop = true } }

// Delay answers late.
func Delay(d time.Duration) Fault { return func(_ Query, r *Reply) { r.Delay += d } }

// HangUp closes a connection over TCP or TLS instead of answering on it.
func HangUp() Fault { return func(q Query, r *Reply) { r.HangUp = q.Net != "udp" } }

// HangUpAfter closes a connection over TCP or TLS after the answer, as servers do that want no more of a client.
func HangUpAfter() Fault { return func(q Query, r *Reply) { r.Last = q.Net != "udp" } }

// Edit changes the message in any way.
func Edit(edit func(m *dns.Msg)) Fault { return func(_ Query, r *Reply) { edit(r.Msg) } }

// Rcode answers with an error and no records, as servers do.
func Rcode(rcode int) Fault {
	return Edit(func(m *dns.Msg) { m.Rcode, m.Answer, m.Ns = rcode, nil, nil })
}

// NoEDNS is a server from before EDNS: FORMERR, header only, to a query that has an OPT record (RFC 6891 section 7).
func NoEDNS(rcode int) Fault {
	return func(q Query, r *Reply) {
		if q.EDNS {
			r.Msg.Rcode, r.Msg.Question, r.Msg.Answer, r.Msg.Ns = rcode, nil, nil, nil
			if rcode <= 0xF { // a longer RCODE needs the OPT record
				r.Msg.Extra = nil
			}
		}
	}
}

// DropEDNS is a router or firewall that lets no query with an OPT record pass.
func DropEDNS() Fault { return func(q Query, r *Reply) { r.Drop = r.Drop || q.EDNS } }

// Truncate cuts UDP answers down to keep records and sets TC.
func Truncate(keep int) Fault {
	return Over("udp", Edit(func(m *dns.Msg) {
		m.Truncated, m.Answer, m.Ns = true, m.Answer[:min(keep, len(m.Answer))], nil
	}))
}

// Oversize sends over UDP more than the client allows instead of truncating.
func Oversize() Fault { return func(_ Query, r *Reply) { r.Oversize = true } }

// NoSOA leaves the authority section out.
func NoSOA() Fault { return Edit(func(m *dns.Msg) { m.Ns = nil }) }

// WrongID answers under another ID.
func WrongID() Fault { return Edit(func(m *dns.Msg) { m.Id ^= 0x5555 }) }

// WrongQuestion answers as if name had been asked for.
func WrongQuestion(name string) Fault {
	return Edit(func(m *dns.Msg) {
		m.Question = []dns.Question{{Name: dns.Fqdn(name), Qtype: m.Question[0].Qtype, Qclass: dns.ClassINET}}
	})
}

// UpperCase changes the case of all names, which means nothing in DNS (RFC 4343).
func UpperCase() Fault {
	return Edit(func(m *dns.Msg) {
		m.Question = []dns.Question{m.Question[0]}
		m.Question[0].Name = strings.ToUpper(m.Question[0].Name)
		m.Answer = copies(m.Answer)
		for _, rr := range m.Answer {
			rr.Header().Name = strings.ToUpper(rr.Header().Name)
		}
	})
}

// OtherOwner gives the records of the answer another owner.
func OtherOwner(name string) Fault {
	return Edit(func(m *dns.Msg) {
		m.Answer = copies(m.Answer)
		for _, rr := range m.Answer {
			rr.Header().Name = dns.Fqdn(name)
		}
	})
}

// Smuggle adds records, given as zone text of one record each, to the answer.
func Smuggle(records ...string) Fault {
	return Edit(func(m *dns.Msg) {
		m.Answer = copies(m.Answer)
		for _, text := range records {
			m.Answer = append(m.Answer, mustRR(text))
		}
	})
}

// Garbage sends b as it is.
func Garbage(b []byte) Fault { return func(_ Query, r *Reply) { r.Raw = b } }

// GarbageAfterHeader sends b after a header with the right ID that promises one record in each section.
func GarbageAfterHeader(b []byte) Fault {
	return func(q Query, r *Reply) {
		head := binary.BigEndian.AppendUint16(nil, q.ID)
		r.Raw = append(append(head, 0x81, 0x80, 0, 1, 0, 1, 0, 1, 0, 1), b...)
	}
}

// CutOff sends the answer up to n bytes from its end, with the counts of the whole.
func CutOff(n int) Fault {
	return func(_ Query, r *Reply) {
		if b, err := r.Msg.Pack(); err == nil {
			r.Raw = b[:max(len(b)-n, 0)]
		}
	}
}

func copies(records []dns.RR) []dns.RR {
	c := make([]dns.RR, len(records))
	for i, rr := range records {
		c[i] = dns.Copy(rr)
	}
	return c
}
