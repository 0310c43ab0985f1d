// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnstest

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// keptQueries bounds the list of queries; the counters count all.
const keptQueries = 20_000

// Query is one query that came in.
type Query struct {
	Name    string // lower case, without the trailing dot
	Type    uint16 // dns.TypeA, ...
	Net     string // "udp", "tcp" or "tls"
	From    netip.AddrPort
	At      time.Time
	ID      uint16
	UDPSize uint16 // 0 without EDNS
	EDNS    bool
	RD, CD  bool
	DO      bool
	Padded  bool // has the option of RFC 7830
}

// counterKey is how a name was asked for.
type counterKey struct {
	qtype uint16
	net   string
}

type queryLog struct {
	mu      sync.Mutex
	counts  map[string]map[counterKey]int // by name
	total   int
	asked   Asked
	last    []Query // a ring: the next goes to total % keptQueries once it is full
	changed chan struct{}
}

// Asked tells of the distinct questions (name and type) that came since the start.
type Asked struct {
	Questions int
	Last      time.Time // when the last of them came for the first time; zero: none did
}

func (l *queryLog) add(q Query) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.counts == nil {
		l.counts = map[string]map[counterKey]int{}
	}
	counts := l.counts[q.Name]
	if counts == nil {
		counts = map[counterKey]int{}
		l.counts[q.Name] = counts
	}
	if (matcher{types: []uint16{q.Type}}).count(counts) == 0 {
		l.asked = Asked{Questions: l.asked.Questions + 1, Last: q.At}
	}
	counts[counterKey{q.Type, q.Net}]++
	if len(l.last) < keptQueries {
		l.last = append(l.last, q)
	} else {
		l.last[l.total%keptQueries] = q
	}
	l.total++
	if l.changed != nil { // somebody waits
		close(l.changed)
		l.changed = nil
	}
}

// Count returns how many queries came for name, of any of the types; an empty name means all names, no type all types.
func (s *Server) Count(name string, types ...uint16) int {
	n, _ := s.queries.count(matcher{name: plain(name), types: types}, false)
	return n
}

// CountNet is Count for one transport, "udp", "tcp" or "tls".
func (s *Server) CountNet(network, name string, types ...uint16) int {
	n, _ := s.queries.count(matcher{net: network, name: plain(name), types: types}, false)
	return n
}

// Asked returns which questions came since the start.
func (s *Server) Asked() Asked {
	s.queries.mu.Lock()
	defer s.queries.mu.Unlock()
	return s.queries.asked
}

// WaitFor blocks until at least n queries as Count counts them came, since the start.
func (s *Server) WaitFor(ctx context.Context, n int, name string, types ...uint16) error {
	m := matcher{name: plain(name), types: types}
	for {
		got, changed := s.queries.count(m, true)
		if got >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d queries for %q came: %w", got, n, name, context.Cause(ctx))
		}
	}
}

// Queries returns the queries as Count counts them, in the order in which they came; of very many the latest.
func (s *Server) Queries(name string, types ...uint16) []Query {
	m := matcher{name: plain(name), types: types}
	l := &s.queries
	l.mu.Lock()
	defer l.mu.Unlock()
	all := slices.Clone(l.last)
	if l.total > keptQueries {
		oldest := l.total % keptQueries
		all = slices.Concat(l.last[oldest:], l.last[:oldest])
	}
	return slices.DeleteFunc(all, func(q Query) bool { return !m.matches(q) })
}

// ForgetQueries sets the counters and the list back to nothing.
func (s *Server) ForgetQueries() {
	l := &s.queries
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts, l.total, l.asked, l.last = nil, 0, Asked{}, nil
}

func (l *queryLog) count(m matcher, wait bool) (n int, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m.name != "" {
		n = m.count(l.counts[m.name])
	} else {
		for _, counts := range l.counts {
			n += m.count(counts)
		}
	}
	if wait && l.changed == nil {
		l.changed = make(chan struct{})
	}
	return n, l.changed
}

type matcher struct {
	net, name string
	types     []uint16
}

// count sums up the queries for one name.
func (m matcher) count(counts map[counterKey]int) int {
	n := 0
	for key, count := range counts {
		if m.took(key) {
			n += count
		}
	}
	return n
}

func (m matcher) matches(q Query) bool {
	return (m.name == "" || m.name == q.Name) && m.took(counterKey{q.Type, q.Net})
}

func (m matcher) took(k counterKey) bool {
	return (m.net == "" || m.net == k.net) && (len(m.types) == 0 || slices.Contains(m.types, k.qtype))
}

// plain is the form of names in the log.
func plain(name string) string {
	if name == "" {
		return ""
	}
	canonical := dns.CanonicalName(name)
	return canonical[:len(canonical)-1]
}
