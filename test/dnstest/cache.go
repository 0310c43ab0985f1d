// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnstest

import (
	"sync"
	"time"

	"github.com/miekg/dns"
)

type cacheKey struct {
	name  string
	qtype uint16
}

type cacheItem struct {
	found  found
	ttl    uint32
	stored time.Time
}

// cache is the part of CoreDNS' cache that a client can see: answers kept for their lowest TTL.
type cache struct {
	mu    sync.Mutex
	items map[cacheKey]cacheItem
}

func newCache() *cache { return &cache{items: map[cacheKey]cacheItem{}} }

// Flush empties the cache of a CacheLike server. A changed record is otherwise seen when the old answer expires.
func (s *Server) Flush() {
	if s.cache == nil {
		return
	}
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	clear(s.cache.items)
}

// CachedUntil is when the entry that a CacheLike server hands out for a question ends: the moment from which a record that was
// changed can be seen. It lies in the past, or is zero, if the next query is answered anew.
func (s *Server) CachedUntil(name string, qtype uint16) time.Time {
	if s.cache == nil {
		return time.Time{}
	}
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	item, ok := s.cache.items[cacheKey{dns.CanonicalName(name), qtype}]
	if !ok {
		return time.Time{}
	}
	return item.stored.Add(time.Duration(item.ttl) * time.Second)
}

func (c *cache) lookup(z *zone, name string, qtype uint16, now time.Time) found {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := cacheKey{name, qtype}
	item, ok := c.items[key]
	if !ok || item.left(now) <= 0 {
		f := z.lookup(name, qtype)
		item = cacheItem{found: f, ttl: lowestTTL(f), stored: now}
		c.items[key] = item
	}
	return item.found.withTTL(uint32(max(item.left(now), 0)))
}

// left is the TTL that a cache hands out: original TTL - floor(seconds since it was stored).
func (i cacheItem) left(now time.Time) int64 {
	return int64(i.ttl) - int64(now.Sub(i.stored)/time.Second)
}

func (f found) withTTL(ttl uint32) found {
	return found{rcode: f.rcode, answer: copiesWithTTL(f.answer, ttl), authority: copiesWithTTL(f.authority, ttl)}
}

func copiesWithTTL(records []dns.RR, ttl uint32) []dns.RR {
	copies := make([]dns.RR, len(records))
	for i, rr := range records {
		copies[i] = dns.Copy(rr)
		copies[i].Header().Ttl = ttl
	}
	return copies
}

// lowestTTL counts the MINIMUM of a SOA record too (RFC 2308 section 5).
func lowestTTL(f found) uint32 {
	lowest := ^uint32(0)
	for _, section := range [][]dns.RR{f.answer, f.authority} {
		for _, rr := range section {
			lowest = min(lowest, rr.Header().Ttl)
			if soa, ok := rr.(*dns.SOA); ok {
				lowest = min(lowest, soa.Minttl)
			}
		}
	}
	if lowest == ^uint32(0) {
		return 0
	}
	return lowest
}
