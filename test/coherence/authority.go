// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

// noData is an hour long, so that the controller asks the caches of other configurations, and all for AAAA, hardly ever.
const noData = "example. 3600 IN SOA ns.example. admin.example. 1 3600 600 86400 3600"

// authority is the DNS server that has the pool, and knows which of its answers have not expired.
type authority struct {
	*dnstest.Server

	mu      sync.Mutex
	answers int
	until   map[netip.Addr]time.Time // when the last answer that holds it expires
}

func newAuthority(s shape, pool []string, rotation func() dnstest.Rotation, trip time.Duration) (*authority, error) {
	server, err := dnstest.New("")
	if err != nil {
		return nil, err
	}
	a := &authority{Server: server, until: map[netip.Addr]time.Time{}}
	server.Zone(noData)
	server.Pool(s.host(), dnstest.TTL(s.ttl()), rotation, pool...)
	server.Break("", dnstest.Delay(trip), func(_ dnstest.Query, r *dnstest.Reply) {
		a.note(addressesIn(r.Msg), time.Now().Add(trip+s.ttl()))
	})
	return a, nil
}

func (a *authority) note(addrs []netip.Addr, until time.Time) {
	if len(addrs) == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answers++
	for _, addr := range addrs {
		a.until[addr] = until
	}
}

// held returns the addresses of the answers that have not expired.
func (a *authority) held(now time.Time) map[netip.Addr]bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	held := map[netip.Addr]bool{}
	for addr, until := range a.until {
		if now.Before(until) {
			held[addr] = true
		}
	}
	return held
}

// given counts the answers with addresses so far.
func (a *authority) given() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.answers
}

func addressesIn(m *dns.Msg) []netip.Addr {
	var addrs []netip.Addr
	for _, rr := range m.Answer {
		if a, ok := rr.(*dns.A); ok {
			if addr, ok := netip.AddrFromSlice(a.A); ok {
				addrs = append(addrs, addr.Unmap())
			}
		}
	}
	return addrs
}
