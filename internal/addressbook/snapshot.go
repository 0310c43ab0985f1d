// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"time"
	"unique"
)

// Snapshot returns what is known for o. An unknown owner has no patterns.
func (b *Book) Snapshot(o Owner, now time.Time) Snapshot {
	w := b.ownerNamed(o)
	if w == nil {
		return Snapshot{}
	}
	at := b.epoch.instant(now)
	s := Snapshot{Revision: Revision(w.revision.Load())} // first: what comes meanwhile has a later one
	l := w.list.Load()
	if l == nil {
		return s
	}
	next := forever
	s.Patterns = make([]PatternState, len(l.wants))
	for i, x := range l.wants {
		next = min(next, b.fill(&s.Patterns[i], x, l.term, at))
	}
	s.Next = b.epoch.time(next)
	s.Served, s.Heard = int(l.view.sources.Load()), l.view.heard.Load()
	return s
}

// fill enters what is known of a pattern, and returns when that changes by itself.
func (b *Book) fill(e *PatternState, x *want, t term, at instant) (next instant) {
	e.Pattern, e.Wanted = *x.pattern, b.epoch.time(x.since)
	if x.group == nil {
		e.State, e.Limit, e.Retention = Pending, x.limit, t.retention
		e.Message = unique.Make(b.options.waitingMessage(x.limit, x.owner.Tenant())).Value() // one string for all: 200,000 may wait
		return forever
	}
	f := x.group.lastSight()
	if !f.lists(at) {
		f = x.name().list(x.group, at)
	}
	e.State, e.Message, e.Limit = f.state, f.message, f.limit
	e.Retention, e.Rotation = f.retention, f.rotation
	e.Answered, e.Tried = b.epoch.time(f.answered), f.tried
	e.Addresses, e.Revision = f.addresses, f.revision
	return f.next
}
