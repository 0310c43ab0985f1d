// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"math/bits"

	"github.com/fqdn-egress/fqdn-egress/internal/turns"
)

// share is the part of a lane that one class of queries has: its queue and its workers.
type share struct {
	waiting turns.Queue[*query]
	flying  int            // in flight
	held    map[string]int // of these, by the tenant whose turn each took
	refused []string       // tenants that wait for a worker of theirs, or of anybody, to come free
}

// rank is the class of q within its queue: of one tenant's healthy queries those that rotate go first, as it matters when they
// are asked, and of those that failed the ones that failed less often. Of those that were never asked the ones go first that came
// with few others: a policy with one new name does not wait until a thousand names of another one have timed out.
//
//	failures        1         2, 3        4 to 7        8 to 15   more
//	came together   up to 10  up to 100   up to 1,000   more
//	rank            0         1           2             3         4
func (q *query) rank() int {
	switch q.class() {
	case healthy:
		return boolToInt(!q.phase.rotates())
	case retry:
		return bits.Len(uint(q.failures())) - 1
	case fresh:
		return q.about.cohort.rank
	}
	return 0
}

// crowdRank is the rank of a name of so many that came together.
func crowdRank(crowd int) int {
	rank := 0
	for few := 10; crowd > few && rank < 3; few *= 10 {
		rank++
	}
	return rank
}

// turn is the turn that a query in flight took: a worker of a class, for a tenant, and a place in the window of the server.
type turn struct {
	class  class
	tenant string
	flight uint64
}

// freshInRow is how many fresh queries go before a retry that waits.
const freshInRow = 4

// order is the one of the classes in the next turn.
func (l *lane) order() [classes]class {
	first, second := fresh, retry
	if l.fresher >= freshInRow {
		first, second = retry, fresh
	}
	if l.failingNext {
		return [classes]class{first, second, healthy}
	}
	return [classes]class{healthy, first, second}
}

// note keeps account of whose turn it was.
func (l *lane) note(c class) {
	l.failingNext = c == healthy
	switch c {
	case fresh:
		l.fresher = min(l.fresher+1, freshInRow)
	case retry:
		l.fresher = 0
	case healthy:
	}
}

// idle is how many workers a class may have more. Failing queries use at most half of the workers, so healthy ones are asked
// on time; and retries leave a quarter of that half, so a new name is asked at once beside a thousand that never answer. A black
// hole holds a worker for 4 s.
func (l *lane) idle(c class) int {
	failing := l.classes[fresh].flying + l.classes[retry].flying
	half := max(l.workers/2, 1)
	idle := l.workers - failing - l.classes[healthy].flying
	if c != healthy {
		idle = min(idle, half-failing)
	}
	if c == retry {
		idle = min(idle, max(half*3/4, 1)-l.classes[retry].flying)
	}
	return max(idle, 0)
}

// greed is how many workers a tenant may hold for each that it leaves idle.
//
//	tenants that want all   each holds     are idle, for whoever comes
//	1                       3 of 4         1 of 4
//	2                       3 of 7         1 of 7
//	n                       3 of 3n + 1    1 of 3n + 1
const greed = 3

// pop takes out the next query of a tenant that may have one of the idle workers, and of the room in the window.
func (s *share) pop(idle int, w *window, room int) (q *query, tenant string, ok bool) {
	q, tenant, ok = s.waiting.Pop(func(tenant string) bool {
		may := s.held[tenant] < greed*idle && w.held[tenant] < greed*room
		if !may {
			s.refused = append(s.refused, tenant)
		}
		return may
	})
	if ok {
		s.flying++
		s.held[tenant]++
	}
	return q, tenant, ok
}

// free gives a worker and the place in the window back.
func (l *lane) free(t turn) {
	l.server.window.end(t.flight)
	s := &l.classes[t.class]
	s.flying--
	if s.held[t.tenant]--; s.held[t.tenant] == 0 {
		delete(s.held, t.tenant)
	}
	l.ended = l.server.window.ended
	l.askAgain()
}

// resume lets those have their turn who were refused one, if the window of the server has had places for them since.
func (l *lane) resume() {
	if l.ended != l.server.window.ended {
		l.ended = l.server.window.ended
		l.askAgain()
	}
}

// askAgain asks those again who were refused a worker or a place for want of idle ones.
func (l *lane) askAgain() {
	for c := range l.classes {
		s := &l.classes[c]
		for _, tenant := range s.refused {
			s.waiting.Resume(tenant)
		}
		s.refused = s.refused[:0]
	}
}
