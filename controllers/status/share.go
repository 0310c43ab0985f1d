// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"maps"
	"sync"
	"time"

	"github.com/fqdn-egress/fqdn-egress/controllers/bucket"
)

// share says when a status may be written, by what the policies of its tenant have written. A patch makes the API server store
// the whole object again, up to some 300 kB with 500 names, and any number of policies may list the same names.
//
//	the first of a generation    24 MiB at once, then 256 KiB a second: 4,000 policies of 6 kB that are applied together
//	others                       16 MiB at once, then 128 KiB a second: 20 policies of 6 kB a second
//	all of all tenants           64 MiB at once, then 256 KiB a second; in debt it holds up only those that used half of theirs
//
// etcd keeps versions for up to ten minutes (see pace in package target): 64 MiB + 256 KiB/s * 600 s = 214 MiB of its 2 GiB.
//
// Statuses wait while rules wait, because one costs the API server as much as five NetworkPolicies. Rules may never rest, so a tenant
// has a few written all the same, of those that waited long enough (see due.rulesFirst).
//
//	late, while rules wait       2 at once, then 1 in 2 s
//
// Events have buckets of their own, and what does not pass them is left out: the status says it anyway.
//
//	a tenant                     300 at once, then 1 a second: 300 policies of which one name each fails
//	all tenants                  1,000 at once, then 5 a second; in debt it holds up only those that used half of theirs
//
// etcd keeps an event of 1 KiB for an hour: 1,000 + 5 * 3,600 of them are 19 MiB. The client keeps it for six minutes, in 11 KiB:
// 1,000 + 5 * 360 of them are 30 MiB.
//
// The zero value is ready; it is safe for concurrent use.
type share struct {
	mu      sync.Mutex
	process bucket.Bucket
	events  bucket.Bucket // of the process
	tenants map[string]*tenantShare
	swept   time.Time
}

type tenantShare struct{ first, later, late, events bucket.Bucket }

// reservation is when a status may be written, and what was taken for it.
type reservation struct {
	at    time.Time
	first bool
	bytes float64
}

func rateOfFirst() bucket.Rate   { return bucket.Rate{Burst: 24 << 20, PerSecond: 256 << 10} }
func rateOfLater() bucket.Rate   { return bucket.Rate{Burst: 16 << 20, PerSecond: 128 << 10} }
func rateOfProcess() bucket.Rate { return bucket.Rate{Burst: 64 << 20, PerSecond: 256 << 10} }
func rateOfLate() bucket.Rate    { return bucket.Rate{Burst: 2, PerSecond: 0.5} }
func rateOfEvents() bucket.Rate  { return bucket.Rate{Burst: 300, PerSecond: 1} }
func rateOfAllEvents() bucket.Rate {
	return bucket.Rate{Burst: 1000, PerSecond: 5}
}

const sweep = time.Minute // between two looks for tenants that owe nothing

// reserve gives a policy its turn, unless it has one that is as good.
func (s *share) reserve(d *due, tenant string, first bool, bytes int, now time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.tenant(tenant, now)
	if d.reserved != nil {
		if d.reserved.first || !first {
			return d.reserved.at
		}
		s.take(of, *d.reserved, -1, now)
	}
	u := reservation{at: now, first: first, bytes: float64(bytes)}
	b, rate := of.of(first)
	if at := b.ReadyAt(rate, u.bytes, now); at.After(u.at) {
		u.at = at
	}
	if at := s.process.ReadyAt(rateOfProcess(), u.bytes, now); b.Spent(rate, now) > rate.Burst/2 && at.After(u.at) {
		u.at = at
	}
	s.take(of, u, 1, now)
	d.reserved = &u
	return u.at
}

// settle ends the turn of a policy, and gives back what was taken for one that wrote nothing.
func (s *share) settle(d *due, tenant string, wrote bool, now time.Time) {
	if d.reserved == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !wrote {
		s.take(s.tenant(tenant, now), *d.reserved, -1, now)
	}
	d.reserved = nil
}

// lateAt returns when a tenant may have one more status written while rules wait; zero: now.
func (s *share) lateAt(tenant string, now time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tenant(tenant, now).late.ReadyAt(rateOfLate(), 1, now)
}

// wroteLate takes note of one that was.
func (s *share) wroteLate(tenant string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tenant(tenant, now).late.Take(rateOfLate(), 1, now)
}

// event tells whether a tenant may have one more event, and takes it.
func (s *share) event(tenant string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := &s.tenant(tenant, now).events
	rate, all := rateOfEvents(), rateOfAllEvents()
	if of.ReadyAt(rate, 1, now).After(now) || of.Spent(rate, now) > rate.Burst/2 && s.events.ReadyAt(all, 1, now).After(now) {
		return false
	}
	of.Take(rate, 1, now)
	s.events.Take(all, 1, now)
	return true
}

func (s *share) take(of *tenantShare, u reservation, sign float64, now time.Time) {
	b, rate := of.of(u.first)
	b.Take(rate, sign*u.bytes, now)
	s.process.Take(rateOfProcess(), sign*u.bytes, now)
}

func (t *tenantShare) of(first bool) (*bucket.Bucket, bucket.Rate) {
	if first {
		return &t.first, rateOfFirst()
	}
	return &t.later, rateOfLater()
}

// tenant returns the buckets of a tenant, and forgets those that owe nothing.
func (s *share) tenant(name string, now time.Time) *tenantShare {
	if now.Sub(s.swept) >= sweep {
		s.swept = now
		maps.DeleteFunc(s.tenants, func(_ string, t *tenantShare) bool {
			return t.first.Full(rateOfFirst(), now) && t.later.Full(rateOfLater(), now) && t.late.Full(rateOfLate(), now) &&
				t.events.Full(rateOfEvents(), now)
		})
	}
	if s.tenants == nil {
		s.tenants = map[string]*tenantShare{}
	}
	if s.tenants[name] == nil {
		s.tenants[name] = &tenantShare{}
	}
	return s.tenants[name]
}
