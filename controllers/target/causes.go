// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

// reserveWrite returns when the target may write: now, or when its turn comes. While it waits, that is what its Result says.
func (r *Reconciler) reserveWrite(s *situation, now time.Time) time.Time {
	m := s.memory
	if at := repairAt(s); at.After(now) {
		r.results.wake(s.key)
		return at
	}
	reserved, began := r.pace.reserve(&m.pace, s.key.Tenant(), causeOf(s), now)
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

// repairAt returns when what somebody else changed may be brought back; zero if that is not all there is to do, or at once.
func repairAt(s *situation) time.Time {
	now, last := s.basis(), s.memory.looked.basis
	now.live = last.live
	if now != last || !s.memory.written.anyDrifted(s.live) {
		return time.Time{}
	}
	return s.memory.contest.nextRepair()
}

// causeOf returns why something may have to be written.
//
//	the spec was not tried yet                        edit
//	the cluster's DNS or the guard changed            edit: what must not be open any more does not wait for answers
//	an object is not as it was sent                   repair, unless it is contested: then others must not pay for it
//	only pools have other addresses than at the last  pools
//	  look
//	else: names, time                                 answers
func causeOf(s *situation) cause {
	m := s.memory
	switch {
	case m.written.generation != s.policy.Generation, m.looked.clusterChanged(s.basis()):
		return causeEdit
	case m.written.anyDrifted(s.live) && !m.contest.on():
		return causeRepair
	case onlyPoolsMoved(s.snapshot.Entries, m.looked.entries):
		return causePools
	}
	return causeAnswers
}

// onlyPoolsMoved tells whether pools have other addresses than before, and no other name has.
func onlyPoolsMoved(entries []addressbook.Entry, before []addressbook.Revision) bool {
	if len(entries) != len(before) {
		return false
	}
	moved := false
	for i := range entries {
		if entries[i].Revision == before[i] {
			continue
		}
		if !isPool(&entries[i]) {
			return false
		}
		moved = true
	}
	return moved
}

// isPool tells whether an entry is a wildcard, or a name with so many addresses that it is as restless as one.
func isPool(e *addressbook.Entry) bool {
	_, exact := e.Pattern.Exact()
	return !exact || len(e.Addresses) >= poolSize
}
