// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
	"github.com/fqdn-egress/fqdn-egress/test/pause"
)

// site is one configuration at work: its DNS server, caches and pods, and what is allowed to them.
type site struct {
	shape     shape
	authority *authority
	resolvers []*resolver // none with CoreDNS
	upstreams []string
	pods      sync.WaitGroup
	connects  sync.WaitGroup

	mu      sync.Mutex
	history *history
	began   time.Time // the first NetworkPolicy came; zero: it has not
	tally   tally
	failed  int // lookups
	written writes
	told    v1alpha1.FQDNStatus // what the status says of the name
	sampled exposure
	start   marks // of the counters, at the end of the first minute
	last    marks
}

// writes counts the versions of the objects of a configuration.
type writes struct {
	NetworkPolicy int `json:"networkPolicy"`
	Status        int `json:"status"`
	// AfterKnown are those of either kind since every address of the pool was allowed; -1: some never were.
	AfterKnown int `json:"afterPoolKnown"`
	known      time.Time
}

// statusHeld is for how long the controller may hold back the status that belongs to a write, and some.
const statusHeld = 6 * time.Second

// exposure sums samples up.
type exposure struct{ samples, allowed, more int }

// marks are the counters that are compared between two moments.
type marks struct{ queries, renewals, answers, networkPolicies, statuses int }

func newSite(i int, s shape, o *options) (_ *site, err error) {
	rotation := dnstest.Random(s.PerAnswer, o.seed+uint64(i))
	if o.roundRobin {
		rotation = dnstest.RoundRobin(s.PerAnswer)
	}
	at := &site{shape: s, history: newHistory()}
	if at.authority, err = newAuthority(s, s.addresses(i), rotation, o.trip); err != nil {
		return nil, err
	}
	if o.cache == "coredns" {
		return at, nil
	}
	for range s.Replicas {
		r, err := newResolver(at.authority.Addr().String())
		if err != nil {
			return nil, errors.Join(err, at.close())
		}
		at.resolvers = append(at.resolvers, r)
		at.upstreams = append(at.upstreams, r.addr())
	}
	return at, nil
}

func (s *site) close() error {
	var errs []error
	for _, r := range s.resolvers {
		errs = append(errs, r.close())
	}
	return errors.Join(append(errs, s.authority.Close())...)
}

// connect judges the connections that follow a lookup, and counts them if all could be made.
func (s *site) connect(ctx context.Context, l lookup, to netip.Addr) {
	a := attempt{age: -1}
	for i := range connects {
		if pause.For(ctx, time.Until(l.at.Add(connectAfter(i)))) != nil {
			return
		}
		s.mu.Lock()
		if s.began.IsZero() || l.at.Before(s.began) { // without a NetworkPolicy all is open
			s.mu.Unlock()
			return
		}
		a.since = l.at.Sub(s.began)
		a.judge(i, s.history, to, time.Now())
		s.mu.Unlock()
	}
	if l.entry > 0 {
		if stored, orphan, known := s.resolvers[l.resolver].fate(l.entry); known {
			a.orphan, a.age = orphan, l.at.Sub(stored)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tally.add(a)
}

func (s *site) lookupFailed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed++
}

// programmed takes over a version of the NetworkPolicy. Addresses that are not of the pools are the DNS rule.
func (s *site) programmed(addrs map[netip.Addr]bool, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.began.IsZero() {
		s.began = now
	}
	s.history.set(addrs, now)
	s.written.NetworkPolicy++
	s.countKnown(now)
	if s.written.known.IsZero() && len(addrs) == s.shape.Pool {
		s.written.known = now
	}
}

// reported takes over a version of the status.
func (s *site) reported(status v1alpha1.FQDNEgressPolicyStatus, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = v1alpha1.FQDNStatus{}
	if len(status.FQDNs) > 0 {
		s.told = status.FQDNs[0]
	}
	s.written.Status++
	s.countKnown(now)
}

func (s *site) countKnown(now time.Time) {
	if known := s.written.known; !known.IsZero() && now.Sub(known) > statusHeld {
		s.written.AfterKnown++
	}
}

// sample is called once a second.
func (s *site) sample(now time.Time) {
	held, answers := s.authority.held(now), s.authority.given()
	m := marks{answers: answers}
	for _, r := range s.resolvers {
		queries, renewals := r.counters()
		m.queries, m.renewals = m.queries+queries, m.renewals+renewals
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m.networkPolicies, m.statuses = s.written.NetworkPolicy, s.written.Status
	s.last = m
	switch {
	case s.began.IsZero():
	case now.Sub(s.began) < warmup:
		s.start = m
	default:
		allowed, more := s.history.without(held, now)
		s.sampled = exposure{s.sampled.samples + 1, s.sampled.allowed + allowed, s.sampled.more + more}
	}
}
