// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"context"
	"time"

	"golang.org/x/time/rate"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/dnsclient"
)

// lane is one upstream: its questions, those of them that wait, its budget and its share of the workers. Lanes share
// nothing, so a dead upstream delays nothing of another.
//
// Failing queries (a query without a success yet counts as one) use at most half of the workers and half of the budget,
// so healthy ones are asked on time. Within that half those never asked go first, and retries leave them a quarter, so a
// new name is asked at once beside a thousand that never answer.
type lane struct {
	key      laneKey
	upstream dnsclient.Upstream
	cluster  bool // it is a server of the cluster's DNS
	source   addressbook.Source
	ctx      context.Context // ends when the upstream leaves
	cancel   context.CancelFunc

	queries map[Question]*query
	ready   [3]fifo // by class
	flying  [3]int  // queries in flight, by class
	workers int
	// failingNext: the last one asked was healthy.
	failingNext bool

	budget, failingBudget *rate.Limiter
	limited               bool // the last queries wait for the budget
	reported              bool // that has been logged
	lost                  int  // queries of which it cannot be told when their entries end
	lostReported          bool // that has been logged
	good                  int  // queries whose last answer was good
	health                health
}

// laneKey: an upstream that the process asks and one that a view names are two, be it the same server, so that no owner's
// names wait behind those of another view.
type laneKey struct {
	view     addressbook.View
	upstream dnsclient.Upstream
}

func newLane(ctx context.Context, key laneKey, u dnsclient.Upstream, maxQPS int) *lane {
	l := &lane{
		key:           key,
		upstream:      u,
		source:        sourceOf(u),
		queries:       map[Question]*query{},
		budget:        rate.NewLimiter(rate.Limit(maxQPS), burstSeconds*maxQPS),
		failingBudget: rate.NewLimiter(rate.Limit(maxQPS)/2, max(burstSeconds*maxQPS/2, 1)),
	}
	l.ctx, l.cancel = context.WithCancel(ctx)
	return l
}

// take removes the next query to be asked from those that are ready: a healthy and a failing one in turn, or either if
// the other cannot go. It returns nil if workers and budget allow none; wait is then when the budget allows one again,
// zero if it is not the budget that is missing.
func (l *lane) take(now time.Time) (q *query, c class, wait time.Duration) {
	for _, failing := range [...]bool{l.failingNext, !l.failingNext} {
		c := l.nextClass(failing)
		if l.ready[c].empty() || !l.hasWorker(c) {
			continue
		}
		if lack := l.lack(failing, now); lack > 0 {
			if wait == 0 || lack < wait {
				wait = lack
			}
			continue
		}
		l.spend(failing, now)
		l.failingNext = !failing
		l.flying[c]++
		return l.ready[c].pop(), c, 0
	}
	return nil, healthy, wait
}

func (l *lane) nextClass(failing bool) class {
	switch {
	case !failing:
		return healthy
	case !l.ready[fresh].empty():
		return fresh
	}
	return retry
}

// lack is how long it takes until the budget allows one more.
func (l *lane) lack(failing bool, now time.Time) time.Duration {
	if failing {
		return max(missing(l.budget, now), missing(l.failingBudget, now))
	}
	return missing(l.budget, now)
}

func (l *lane) spend(failing bool, now time.Time) {
	l.budget.AllowN(now, 1)
	if failing {
		l.failingBudget.AllowN(now, 1)
	}
}

func (l *lane) hasWorker(c class) bool {
	failing := l.flying[fresh] + l.flying[retry]
	half := max(l.workers/2, 1)
	switch c {
	case fresh:
		return failing < half
	case retry:
		return failing < half && l.flying[retry] < max(half*3/4, 1)
	case healthy:
	}
	return failing+l.flying[healthy] < l.workers
}

// missing is how long it takes until the budget has a token.
func missing(budget *rate.Limiter, now time.Time) time.Duration {
	lack := 1 - budget.TokensAt(now)
	if lack <= 0 {
		return 0
	}
	// Rounded up to a millisecond, so that rounding does not wake the loop just too early.
	d := time.Duration(lack / float64(budget.Limit()) * float64(time.Second))
	return d.Truncate(time.Millisecond) + time.Millisecond
}

// fifo holds queries that wait; those that are gone are skipped.
type fifo struct {
	queries []*query
	head    int
}

func (f *fifo) push(q *query) {
	if f.head > len(f.queries)/2 { // or a queue that is never empty would grow for ever
		f.queries = append(f.queries[:0], f.queries[f.head:]...)
		f.head = 0
	}
	f.queries = append(f.queries, q)
}

func (f *fifo) empty() bool {
	for f.head < len(f.queries) && f.queries[f.head].gone {
		f.skip()
	}
	return f.head == len(f.queries)
}

// pop must not be called when empty.
func (f *fifo) pop() *query {
	q := f.queries[f.head]
	f.skip()
	return q
}

func (f *fifo) skip() {
	f.queries[f.head] = nil
	f.head++
	if f.head == len(f.queries) {
		f.queries, f.head = f.queries[:0], 0
	}
}
