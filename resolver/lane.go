// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"context"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/dnsclient"
)

// lane is one upstream: its queries, those of them that wait to be asked, and its share of the workers. Lanes share nothing but
// the budgets of servers, so a dead upstream delays nothing of another.
//
// Two things are scarce in a lane: budget and workers. Each of three classes of queries has a queue, in which tenants take
// turns. Of those that workers and budget allow, a healthy query and a failing one go in turn, and of five failing ones four are
// fresh, if so many wait. So with k other tenants that ask for more than there is, and Q questions a second, a query waits at most
//
//	healthy       every 2nd question at least     2 (k+1) / Q       k = 1, Q = 1000:  4 ms
//	fresh         2 of 5                          2.5 (k+1) / Q                       5 ms
//	retry         1 of 10                         10 (k+1) / Q                       20 ms
//
// and longer for each query that its own tenant has before it (rank gives the order). Workers: see greed.
type lane struct {
	key      laneKey
	upstream dnsclient.Upstream
	cluster  bool // it is a server of the cluster's DNS
	source   addressbook.Source
	ctx      context.Context // ends when the upstream leaves
	cancel   context.CancelFunc

	classes [classes]share
	workers int
	server  *server
	budget  *budget
	// failingNext: the last one asked was healthy. fresher counts the fresh ones since the last retry.
	failingNext bool
	fresher     int

	views   int            // that ask it; of lanes of views
	tenants map[string]int // of these views: how many of them each has

	ended            uint64 // of the window of the server, when those who were refused were last asked again
	limited          bool   // the last queries wait for the budget
	reported         bool   // that has been logged
	unlocked         int    // queries of which it cannot be told when their entries end
	unlockedReported bool   // that has been logged
	good             int    // queries whose last answer was good
	health           health
}

// laneKey: an upstream of the process and the same server named by a policy are two lanes, so that the names of the process never
// wait for a policy's.
type laneKey struct {
	ofViews  bool
	upstream dnsclient.Upstream
}

func newLane(ctx context.Context, key laneKey, s *server) *lane {
	l := &lane{
		key: key, upstream: key.upstream, source: sourceOf(key.upstream),
		server: s, budget: s.whole, tenants: map[string]int{},
	}
	if key.ofViews {
		l.budget = s.views
	}
	for c := range l.classes {
		l.classes[c].held = map[string]int{}
	}
	l.ctx, l.cancel = context.WithCancel(ctx)
	s.lanes++
	return l
}

// push lets a query wait for the turn of one of its tenants. One that waits already keeps its place, and waits for those who are
// its tenants now.
func (l *lane) push(q *query) {
	q.index, q.queue = waiting, q.class()
	l.classes[q.queue].waiting.Push(q, q.rank(), q.about.cohort.tenants...)
}

// remove takes out a query that waits.
func (l *lane) remove(q *query) {
	if q.index == waiting {
		q.index = flying
		l.classes[q.queue].waiting.Remove(q)
	}
}

// take removes the next query to be asked from those that wait. It returns nil if workers, budget and window allow none; waits are
// then how long.
func (l *lane) take(now time.Time) (q *query, as turn, w waits) {
	yields := l.classes[healthy].waiting.Len() == 0
	l.server.window.age(now)
	l.resume()
	for _, c := range l.order() {
		s := &l.classes[c]
		idle := l.idle(c)
		if s.waiting.Len() == 0 || idle == 0 {
			continue
		}
		if lack := l.budget.lack(c, c != healthy && yields, now); lack > 0 {
			w = w.sooner(waits{budget: lack})
			continue
		}
		q, tenant, ok := s.pop(idle, &l.server.window, l.server.window.room(c))
		if !ok {
			w = w.sooner(waits{window: l.server.window.next(now)})
			continue
		}
		l.budget.spend(c, now)
		l.note(c)
		q.index = flying
		return q, turn{class: c, tenant: tenant, flight: l.server.window.add(tenant, now)}, waits{}
	}
	return nil, turn{}, w
}

// waits says how long the budget of a server, and its window, let no query through. Zero: it does not wait for that one. Of 4 ms for the
// budget and 1 ms for the window the lane is looked at again after 1 ms.
type waits struct{ budget, window time.Duration }

// until returns the shorter of the two that are not zero: how long until the lane is worth another look.
func (w waits) until() time.Duration {
	if w.budget == 0 || w.window > 0 && w.window < w.budget {
		return w.window
	}
	return w.budget
}

// sooner returns the shorter wait for the budget, and the shorter one for the window, of two classes.
func (w waits) sooner(o waits) waits {
	if w.budget == 0 || o.budget > 0 && o.budget < w.budget {
		w.budget = o.budget
	}
	if w.window == 0 || o.window > 0 && o.window < w.window {
		w.window = o.window
	}
	return w
}
