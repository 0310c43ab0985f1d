// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"time"

	"github.com/fqdn-egress/fqdn-egress/controllers/when"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

// remember keeps what follows from a look, for the next one, and tells the book how far the owner has come.
//
//	all answered as sent, or nothing to do   carried addresses that are over are dropped; a contest may end; the revision is
//	                                         applied; the same is not looked at again
//	an answer that differs                   the same, but nothing is dropped; again after ContestedPace: see contest
//	the first write waits, or repairs do     the same is not looked at again before retryAt
//	behind, an error, or the namespace is    the next look begins afresh
//	  being deleted
func (r *Reconciler) remember(s *situation, done *attempt, now time.Time) {
	m := s.memory
	r.pace.settle(&m.pace, s.key.Tenant(), done.exact, done.along, now)
	m.looked.done = done.err == nil && !done.behind && !done.vanishes
	r.settlePeers(s, done)
	if !m.looked.done || done.waits || done.repairs {
		m.health.tell(r.book, s.key.Owner, false)
		if m.looked.done {
			m.looked.at, m.looked.basis, m.looked.revisions = now, s.basis(), revisionsOf(s.snapshot.Patterns)
			m.looked.next = when.Earliest(done.retryAt, done.plan.Next, s.snapshot.Next)
		}
		return
	}
	if len(done.plan.Steps) == 0 {
		m.contest.asWanted()
	}
	if !m.contest.alters() {
		m.carried.rules = done.plan.StillCarried
	}
	m.written.know(s.owned())
	done.retryAt = m.contest.settle(now)
	_, limitEnd := m.pace.limitedBy(now)
	m.looked.at, m.looked.basis, m.looked.revisions = now, s.basis(), revisionsOf(s.snapshot.Patterns)
	m.looked.next = when.Earliest(done.retryAt, done.plan.Next, s.snapshot.Next, limitEnd)

	m.health.tell(r.book, s.key.Owner, !s.isAudit() && !m.contest.on() && !m.health.slow)
	if !m.contest.alters() {
		r.book.Applied(s.key.Owner, s.snapshot.Revision)
	}
}

func revisionsOf(patterns []addressbook.PatternState) []addressbook.Revision {
	revisions := make([]addressbook.Revision, len(patterns))
	for i := range patterns {
		revisions[i] = patterns[i].Revision
	}
	return revisions
}
