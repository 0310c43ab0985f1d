// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/binary"
	"math"
	"net"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// entryOption is the EDNS option by which a pod asks which entry its answer is from (RFC 6891: for local use).
const entryOption = dns.EDNS0LOCALSTART + 5

// resolver is a caching resolver that does as CoreDNS with its cache plugin does. An answer is kept for its lowest TTL and
// is handed out with TTL - floor(its age). Queries that miss together each ask upstream, each get what they were told, and
// the last to be told is what is kept.
type resolver struct {
	upstream string
	server   *dns.Server
	done     chan struct{}

	mu       sync.Mutex
	entries  map[dns.Question]*entry
	all      map[uint64]*entry // by number, those with addresses
	queries  int               // for A records that were not from pods and found some
	renewals int               // entries with addresses, without those that were replaced
}

type entry struct {
	number   uint64
	reply    *dns.Msg
	ttl      uint32
	stored   time.Time
	replaced bool // before it ended: an orphan

	learnt time.Time // when another than a pod was first told it: the controller; zero: never
}

// left is nothing from the moment on at which the entry ends.
func (e *entry) left(now time.Time) uint32 {
	return uint32(max(int64(e.ttl)-int64(now.Sub(e.stored)/time.Second), 0))
}

func newResolver(upstream string) (*resolver, error) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &resolver{upstream: upstream, done: make(chan struct{}), entries: map[dns.Question]*entry{}, all: map[uint64]*entry{}}
	r.server = &dns.Server{PacketConn: conn, Handler: r}
	started := make(chan struct{})
	r.server.NotifyStartedFunc = func() { close(started) }
	go func() {
		defer close(r.done)
		_ = r.server.ActivateAndServe() // it returns once close shuts it down
	}()
	<-started
	return r, nil
}

func (r *resolver) addr() string { return r.server.PacketConn.LocalAddr().String() }

func (r *resolver) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := r.server.ShutdownContext(ctx)
	<-r.done
	return err
}

// ServeDNS is for dns.Server.
func (r *resolver) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	now := time.Now()
	e := r.fresh(q.Question[0], now)
	if e == nil {
		up := new(dns.Msg).SetQuestion(q.Question[0].Name, q.Question[0].Qtype)
		reply, _, err := new(dns.Client).Exchange(up, r.upstream)
		if err != nil {
			_ = w.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeServerFailure)) // who asks sees that nothing comes
			return
		}
		now = time.Now()
		e = r.store(q.Question[0], reply, now)
	}
	_ = w.WriteMsg(r.answer(q, e, now))
}

func (r *resolver) fresh(q dns.Question, now time.Time) *entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.entries[q]; e != nil && e.left(now) > 0 {
		return e
	}
	return nil
}

func (r *resolver) store(q dns.Question, reply *dns.Msg, now time.Time) *entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := &entry{number: uint64(len(r.all) + 1), reply: reply, ttl: lowestTTL(reply), stored: now}
	if old := r.entries[q]; old != nil && old.left(now) > 0 {
		old.replaced = true
		r.renewals--
	}
	r.entries[q] = e
	if len(reply.Answer) > 0 {
		r.all[e.number] = e
		r.renewals++
	}
	return e
}

func (r *resolver) answer(q *dns.Msg, e *entry, now time.Time) *dns.Msg {
	m := e.reply.Copy().SetReply(q)
	m.Rcode, m.Extra, m.RecursionAvailable = e.reply.Rcode, nil, true
	for _, section := range [][]dns.RR{m.Answer, m.Ns} {
		for _, rr := range section {
			rr.Header().Ttl = e.left(now)
		}
	}
	opt := q.IsEdns0()
	if opt == nil {
		return m
	}
	m.SetEdns0(1232, false)
	if len(opt.Option) > 0 && opt.Option[0].Option() == entryOption {
		number := &dns.EDNS0_LOCAL{Code: entryOption, Data: binary.BigEndian.AppendUint64(nil, e.number)}
		m.IsEdns0().Option = append(m.IsEdns0().Option, number)
		return m
	}
	if len(m.Answer) > 0 {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.queries++
		if e.learnt.IsZero() {
			e.learnt = now
		}
	}
	return m
}

// fate says when an entry was stored and whether it was replaced before it ended.
func (r *resolver) fate(number uint64) (stored time.Time, orphan, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.all[number]
	if e == nil {
		return time.Time{}, false, false
	}
	return e.stored, e.replaced, true
}

// learning says what the controller was told of the entries that were stored within a time.
func (r *resolver) learning(from, to time.Time) learning {
	r.mu.Lock()
	defer r.mu.Unlock()
	var l learning
	for _, e := range r.all {
		switch {
		case e.stored.Before(from) || !e.stored.Before(to):
		case e.replaced:
			l.Orphans += boolToInt(!e.learnt.IsZero())
		case e.learnt.IsZero():
			l.Entries, l.Unseen = l.Entries+1, l.Unseen+1
		default:
			l.Entries++
			l.After = append(l.After, e.learnt.Sub(e.stored).Milliseconds())
		}
	}
	return l
}

func (r *resolver) counters() (queries, renewals int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.queries, r.renewals
}

// lowestTTL counts the MINIMUM of a SOA record too (RFC 2308 section 5).
func lowestTTL(m *dns.Msg) uint32 {
	lowest := uint32(math.MaxInt32)
	for _, section := range [][]dns.RR{m.Answer, m.Ns} {
		for _, rr := range section {
			lowest = min(lowest, rr.Header().Ttl)
			if soa, ok := rr.(*dns.SOA); ok {
				lowest = min(lowest, soa.Minttl)
			}
		}
	}
	return lowest
}
