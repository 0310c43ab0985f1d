// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"maps"
	"sync"
	"time"

	"github.com/fqdn-egress/fqdn-egress/controllers/bucket"
	"github.com/fqdn-egress/fqdn-egress/controllers/metrics"
)

// pace says when a target may write. It is asked before anything is compiled, when the price of a write is only guessed: by the
// size of the last one. What was taken too much is given back.
//
//	why something is written                        waits for, and takes of, the buckets of
//	edit: the spec is new to this process, or edited   tenant for edits, process (with twice the burst)
//	repair: somebody else changed the object, or the   tenant for repairs, process (with twice the burst)
//	  cluster's DNS or the guard did
//	answers: an exact name moved, or something went    target, tenant, process
//	pools: nothing but pools have other addresses      target for pools, tenant for pools, process
//
// Edits and repairs wait for no debt but their own: the edit that takes out a name whose answers caused it goes at once, and no flood
// of edits keeps open what somebody else opened. Pools
// (wildcards, and names with at least poolSize addresses) have buckets of their own, so that an exact name is never late for
// them. When one moves, the pools' addresses go along: objects where nothing but these changes are taken of the pools' buckets, as
// long as there is something in them. Such objects make no debt, or pools would wait for hours once the exact name rests.
//
//	a policy has five objects; it changes                        taken of answers    of pools
//	an exact name, in one of them                                1 write             -
//	an exact name in one of them, and pools in all five          1 write             4 writes
//	pools alone, in all five                                     -                   5 writes
//
// The bucket of the process is a breaker. While it is in debt it holds up the tenants that used more than half of theirs, and
// nobody else.
//
// The figures. etcd keeps every version of an object until it is compacted: the API server does that every five minutes, to
// where it was five minutes before, so what is written counts for up to ten. Its default quota is 2 GiB, and when that is
// full the cluster takes no more writes.
//
//	process: 64 MiB + 768 KiB/s * 600 s = 514 MiB, a quarter of the quota
//	         64 MiB are 10,000 policies of 2 kB, three times
//	tenant:  256 KiB/s, a third of the process: 128 policies of 2 kB a second, or three objects of 1,000 IPv6 peers (89 kB)
//	         16 MiB at once: a name that 500 policies list moves 16 times
//	pools:   128 KiB/s, half of the tenant's: three objects of 1,000 IPv6 peers in two seconds
//	edits:   24 MiB at once are 12,000 policies of 2 kB that are applied together; 192 KiB/s after that
//	repairs: 4 MiB at once are 90 objects of 1,000 IPv4 peers, with their annotation (45 kB); 64 KiB/s after that
type pace struct {
	mu      sync.Mutex
	process bucket.Bucket
	tenants map[string]*tenantPace
	swept   time.Time
}

// tenantPace are the buckets of one tenant, of bytes.
type tenantPace struct{ answers, pools, edits, repairs bucket.Bucket }

// targetPace is what one target wrote last, and owes. The zero value: nothing was written yet.
type targetPace struct {
	bytes      float64 // that it wrote last; 0: nothing yet
	exactBytes float64 // that it wrote last for exact names; 0: nothing yet
	*debts             // nil: none, as after an edit; those for answers and pools go with the first turn at which they are paid
}

// debts are the buckets of one target, of writes, and the turn that it waits for.
type debts struct {
	answers, pools bucket.Bucket
	reserved       reservation // that it waits for or was given; the zero value: none
	// limit made it wait for a turn that was far away, which came at limited. The status tells of it until a while after.
	limit   metrics.Limit
	limited time.Time
}

// cause is why something is written; see pace.
type cause int

const (
	causeEdit cause = iota
	causeRepair
	causeAnswers
	causePools
)

// reservation is a place in the order of writes: when it comes, and what was taken for it.
type reservation struct {
	at    time.Time // zero: there is none
	cause cause
	cost
	limit metrics.Limit // that it waits for; "" if it does not wait
}

// cost is how many objects are written, and how many bytes they have.
type cost struct{ writes, bytes float64 }

func (c *cost) add(bytes int) { c.writes, c.bytes = c.writes+1, c.bytes+float64(bytes) }

const (
	poolSize  = 100     // addresses from which on a name counts as a pool
	firstSize = 2 << 10 // bytes that a first write is guessed to have
	// farAway is how long a wait must be for the status to tell of it, and toldFor how long it tells of it after the last
	// such wait: one that waits and writes in turns is limited all the time.
	farAway = 10 * time.Second
	toldFor = time.Minute
	sweep   = time.Minute // between two looks for tenants that owe nothing
)

func rateOfTarget() bucket.Rate  { return bucket.Rate{Burst: 10, PerSecond: 0.5} }
func rateOfTenant() bucket.Rate  { return bucket.Rate{Burst: 16 << 20, PerSecond: 256 << 10} }
func rateOfPools() bucket.Rate   { return bucket.Rate{Burst: 1 << 20, PerSecond: 128 << 10} }
func rateOfEdits() bucket.Rate   { return bucket.Rate{Burst: 24 << 20, PerSecond: 192 << 10} }
func rateOfRepairs() bucket.Rate { return bucket.Rate{Burst: 4 << 20, PerSecond: 64 << 10} }
func rateOfProcess() bucket.Rate { return bucket.Rate{Burst: 64 << 20, PerSecond: 768 << 10} }

// reserve returns the turn of a target. One that has come may be used now, and must be settled. A target has one turn at a
// time: asked again it gets the same one, unless there is a better cause now. began tells that a wait begins.
func (p *pace) reserve(t *targetPace, tenant string, c cause, now time.Time) (next reservation, began bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	of := p.tenant(tenant, now)
	if t.debts == nil {
		t.debts = &debts{}
	}
	if !t.reserved.at.IsZero() {
		if !c.waitsForLess(t.reserved.cause) {
			return t.reserved, false
		}
		p.take(t, of, t.reserved, -1, now)
	}
	u := reservation{cause: c, cost: cost{writes: 1, bytes: t.guess(c)}, at: now}
	for _, w := range p.waits(t, of, u, now) {
		if w.until.After(u.at) {
			u.at, u.limit = w.until, w.limit
		}
	}
	p.take(t, of, u, 1, now)
	if u.at.Sub(now) >= farAway {
		t.limit, t.limited = u.limit, u.at
	}
	t.reserved = u
	return u, u.at.After(now)
}

// guess returns how many bytes a write is likely to have.
func (t *targetPace) guess(c cause) float64 {
	switch {
	case c == causeAnswers && t.exactBytes > 0:
		return t.exactBytes
	case t.bytes > 0:
		return t.bytes
	}
	return firstSize
}

// waitsForLess tells whether a cause waits for fewer buckets than another one.
func (c cause) waitsForLess(than cause) bool { return c < than && than >= causeAnswers }

// wait is a bucket that has not enough now.
type wait struct {
	limit metrics.Limit
	until time.Time
}

// waits returns what a turn has to wait for.
func (p *pace) waits(t *targetPace, of *tenantPace, u reservation, now time.Time) []wait {
	process, used, share := rateOfProcess(), &of.answers, rateOfTenant()
	var waits []wait
	switch u.cause {
	case causeEdit, causeRepair:
		process.Burst *= 2
		if used, share = &of.edits, rateOfEdits(); u.cause == causeRepair {
			used, share = &of.repairs, rateOfRepairs()
		}
		waits = append(waits, wait{metrics.BytesPerNamespace, used.ReadyAt(share, u.bytes, now)})
	case causeAnswers:
		waits = append(waits, wait{metrics.WriteBudget, t.answers.ReadyAt(rateOfTarget(), u.writes, now)},
			wait{metrics.BytesPerNamespace, of.answers.ReadyAt(share, u.bytes, now)})
	case causePools:
		used, share = &of.pools, rateOfPools()
		waits = append(waits, wait{metrics.WriteBudget, t.pools.ReadyAt(rateOfTarget(), u.writes, now)},
			wait{metrics.PoolBytesPerNamespace, of.pools.ReadyAt(share, u.bytes, now)})
	}
	if used.Spent(share, now) > share.Burst/2 {
		waits = append(waits, wait{metrics.BytesOfProcess, p.process.ReadyAt(process, u.bytes, now)})
	}
	return waits
}

// take takes what a turn costs, or gives it back.
func (p *pace) take(t *targetPace, of *tenantPace, u reservation, sign float64, now time.Time) {
	p.process.Take(rateOfProcess(), sign*u.bytes, now)
	switch u.cause {
	case causePools:
		t.pools.Take(rateOfTarget(), sign*u.writes, now)
		of.pools.Take(rateOfPools(), sign*u.bytes, now)
	case causeAnswers:
		t.answers.Take(rateOfTarget(), sign*u.writes, now)
		of.answers.Take(rateOfTenant(), sign*u.bytes, now)
	case causeEdit:
		of.edits.Take(rateOfEdits(), sign*u.bytes, now)
	case causeRepair:
		of.repairs.Take(rateOfRepairs(), sign*u.bytes, now)
	}
}

// settle ends the turn of a target: what was taken for it becomes what it did cost. exact is that of objects in which exact names
// changed, or of all where there are no pools; along that of the others.
func (p *pace) settle(t *targetPace, tenant string, exact, along cost, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.debts == nil || t.reserved.at.IsZero() {
		return
	}
	of, paid := p.tenant(tenant, now), t.reserved
	p.take(t, of, paid, -1, now)
	all := cost{exact.writes + along.writes, exact.bytes + along.bytes}
	if paid.cost = all; paid.cause == causeAnswers {
		paid.cost = exact
		p.process.Take(rateOfProcess(), along.bytes, now)
		t.pools.Drain(rateOfTarget(), along.writes, now)
		of.pools.Drain(rateOfPools(), along.bytes, now)
	}
	p.take(t, of, paid, 1, now)
	t.reserved = reservation{}
	if all.bytes > 0 {
		t.bytes = all.bytes
	}
	if exact.bytes > 0 {
		t.exactBytes = exact.bytes
	}
	if limit, _ := t.limitedBy(now); limit == "" && t.answers.Full(rateOfTarget(), now) && t.pools.Full(rateOfTarget(), now) {
		t.debts = nil
	}
}

// limitedBy returns the limit that the status of the target tells of, and until when; "": none.
func (t *targetPace) limitedBy(now time.Time) (metrics.Limit, time.Time) {
	if t.debts == nil || t.limit == "" {
		return "", time.Time{}
	}
	if end := t.limited.Add(toldFor); end.After(now) {
		return t.limit, end
	}
	return "", time.Time{}
}

// tenant returns the buckets of a tenant, and forgets those that owe nothing.
func (p *pace) tenant(name string, now time.Time) *tenantPace {
	if now.Sub(p.swept) >= sweep {
		p.swept = now
		maps.DeleteFunc(p.tenants, func(_ string, t *tenantPace) bool {
			return t.answers.Full(rateOfTenant(), now) && t.pools.Full(rateOfPools(), now) &&
				t.edits.Full(rateOfEdits(), now) && t.repairs.Full(rateOfRepairs(), now)
		})
	}
	if p.tenants == nil {
		p.tenants = map[string]*tenantPace{}
	}
	if p.tenants[name] == nil {
		p.tenants[name] = &tenantPace{}
	}
	return p.tenants[name]
}

// reserveWrite returns when the target may write: now, or when its turn comes. While it waits, that is what its Result says.
func (r *Reconciler) reserveWrite(s *situation, now time.Time) time.Time {
	m := s.memory
	if at := repairAt(s); at.After(now) {
		r.results.wake(s.key)
		return at
	}
	reserved, began := r.pace.reserve(&m.pace, s.key.Tenant(), causeOf(s, now), now)
	if !reserved.at.After(now) {
		return now
	}
	if began {
		r.metrics.LimitHit(reserved.limit)
	}
	m.looked.done = false
	m.health.tell(r.book, s.key.Owner, false)
	limit, _ := m.pace.limitedBy(now)
	r.results.hold(s, limit)
	return reserved.at
}

// repairAt returns when a repair may be written, if repairing is all there is to do: nothing but the live objects differs from the
// last look, and one of them is not as it was sent. Zero: at once, or there is more to do.
func repairAt(s *situation) time.Time {
	now, last := s.basis(), s.memory.looked.basis
	now.live = last.live
	if now != last || !s.memory.written.anyDrifted(s.live) {
		return time.Time{}
	}
	return s.memory.contest.nextRepair()
}
