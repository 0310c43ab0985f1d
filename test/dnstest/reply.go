// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnstest

import (
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// ednsSize is what the server says it takes over UDP; it asks nothing, so nobody uses it.
const ednsSize = 1232

// Reply is what the server is about to send; faults change it.
type Reply struct {
	// Msg is the answer. It may be changed; its records may be shared and must be copied first (dns.Copy).
	Msg *dns.Msg
	// Raw is sent instead of Msg, if not nil.
	Raw []byte
	// Delay is waited for before anything is sent.
	Delay time.Duration
	// Drop: send nothing. Over TCP and TLS the connection stays open and silent.
	Drop bool
	// HangUp: close the connection without an answer.
	HangUp bool
	// Last: close the connection after the answer.
	Last bool
	// Oversize: send over UDP whatever the size that the client allows.
	Oversize bool

	before []*Reply // sent first
}

// ServeDNS implements dns.Handler.
func (s *Server) ServeDNS(w dns.ResponseWriter, req *dns.Msg) {
	q := s.describe(w, req)
	s.queries.add(q)
	r := &Reply{Msg: s.answer(q, req)}
	for _, fault := range s.faults.of(q.Name) {
		fault(q, r)
	}
	s.send(w, q, r)
}

func (s *Server) describe(w dns.ResponseWriter, req *dns.Msg) Query {
	q := Query{
		Name: dns.CanonicalName(req.Question[0].Name),
		Type: req.Question[0].Qtype,
		Net:  network(w),
		At:   s.clock.Now(),
		ID:   req.Id,
		RD:   req.RecursionDesired,
		CD:   req.CheckingDisabled,
	}
	q.Name = q.Name[:max(len(q.Name)-1, 0)]
	switch a := w.RemoteAddr().(type) {
	case *net.UDPAddr:
		q.From = a.AddrPort()
	case *net.TCPAddr:
		q.From = a.AddrPort()
	}
	q.From = netip.AddrPortFrom(q.From.Addr().Unmap(), q.From.Port())
	if opt := req.IsEdns0(); opt != nil {
		q.EDNS, q.UDPSize, q.DO = true, opt.UDPSize(), opt.Do()
		q.Padded = slices.ContainsFunc(opt.Option, func(o dns.EDNS0) bool { return o.Option() == dns.EDNS0PADDING })
	}
	return q
}

func network(w dns.ResponseWriter) string {
	if c, ok := w.(dns.ConnectionStater); ok && c.ConnectionState() != nil {
		return "tls"
	}
	return w.RemoteAddr().Network()
}

func (s *Server) answer(q Query, req *dns.Msg) *dns.Msg {
	m := new(dns.Msg).SetReply(req)
	m.RecursionAvailable = true
	m.Compress = true
	var f found
	if s.cache == nil {
		f = s.zone.lookup(dns.Fqdn(q.Name), q.Type)
	} else {
		f = s.cache.lookup(s.zone, dns.Fqdn(q.Name), q.Type, q.At)
	}
	m.Rcode, m.Answer, m.Ns = f.rcode, f.answer, f.authority
	if q.EDNS {
		m.SetEdns0(ednsSize, false)
	}
	return m
}

func (s *Server) send(w dns.ResponseWriter, q Query, r *Reply) {
	for _, b := range r.before {
		s.send(w, q, b)
	}
	if r.Delay > 0 && !s.wait(r.Delay) {
		return
	}
	switch {
	case r.HangUp:
		_ = w.Close()
	case r.Drop:
		if q.Net != "udp" {
			// miekg/dns closes the connection when nobody asks on it any more: keep it silent until the end.
			s.wait(time.Minute)
		}
	case r.Raw != nil:
		_, _ = w.Write(r.Raw) // the client may be gone: its business
	default:
		if q.Net == "udp" && !r.Oversize {
			r.Msg.Truncate(max(int(q.UDPSize), dns.MinMsgSize))
		}
		_ = w.WriteMsg(r.Msg)
	}
	if r.Last {
		_ = w.Close()
	}
}

// wait returns false when the server closes before d has passed.
func (s *Server) wait(d time.Duration) bool {
	timer := s.clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C():
		return true
	case <-s.closing:
		return false
	}
}
