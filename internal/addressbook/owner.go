// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// owner is one Owner.
type owner struct {
	Owner

	tenant   *tenant
	changing sync.Mutex // of a Want or Forget: its list changes under it
	gone     bool       // guarded by changing: it was forgotten
	list     atomic.Pointer[list]
	revision atomic.Uint64
	acks     acks
	place    int // in view.owners; guarded by the Book's lock
}

// list is what an owner wants. It is immutable.
type list struct {
	term  term
	view  *view
	wants []*want
	// asGiven is what Want was given, if that was not just wants: it had repeats. So the next Want sees that nothing changed.
	asGiven []fqdn.Pattern
	// held are those of the wants that have yet to join which are held; nil once they did.
	held map[fqdn.Pattern]bool
}

// term is how long an owner keeps addresses: as it says, or, adaptive, for longer where a name's rotation needs it.
type term struct {
	retention time.Duration
	adaptive  bool
}

// compare orders terms by their retention.
func (t term) compare(u term) int {
	switch {
	case t.retention != u.retention:
		return int(min(max(t.retention-u.retention, -1), 1))
	case t.adaptive == u.adaptive:
		return 0
	case t.adaptive:
		return 1
	}
	return -1
}

// want is one pattern that an owner lists. It takes 48 bytes: there are as many as all policies together list.
type want struct {
	owner   *owner
	pattern *fqdn.Pattern // that of the name once it joined: a pointer takes half of a Pattern
	since   instant
	group   *group // of the name; nil: it waits for room

	// place is that in group.wants, guarded by the name's lock; while x waits for room that in tenant.waiting, guarded by the Book's.
	place int32
	limit Limit // why it waits
	held  bool  // see Wants.Held

	// Guarded by owner.acks.
	left    bool     // the owner does not list it any more
	awaited bool     // a Ticket named gained
	gained  Revision // of the owner: the first whose Snapshot has every address that the name gained
}

func newWant(w *owner, p fqdn.Pattern, since instant, held bool) *want {
	return &want{owner: w, pattern: &p, since: since, held: held}
}

// name returns the name that x joined; nil: it waits for room.
func (x *want) name() *name {
	if x.group == nil {
		return nil
	}
	return x.group.name
}

// lists tells whether an owner with that list wants just ps, in that order.
func (l *list) lists(ps []fqdn.Pattern) bool {
	if l.asGiven != nil {
		return slices.Equal(l.asGiven, ps)
	}
	return slices.EqualFunc(l.wants, ps, func(x *want, p fqdn.Pattern) bool { return *x.pattern == p })
}

// ownerNamed returns an owner; nil if it is not known.
func (b *Book) ownerNamed(o Owner) *owner {
	b.rlock()
	defer b.runlock()
	return b.owners[o]
}

// ensureOwner returns an owner, which it makes if need be.
func (b *Book) ensureOwner(o Owner) *owner {
	if w := b.ownerNamed(o); w != nil {
		return w
	}
	b.lock()
	defer b.unlock()
	if w := b.owners[o]; w != nil {
		return w
	}
	t := b.tenants[o.Tenant()]
	if t == nil {
		t = &tenant{Tenant: o.Tenant(), book: b}
		b.tenants[o.Tenant()] = t
		b.counts.tenants.Add(1)
	}
	t.owners++
	w := &owner{Owner: o, tenant: t}
	w.revision.Store(b.floor)
	w.acks.applied = Revision(b.floor)
	b.owners[o] = w
	return w
}

// dropOwner forgets an owner.
func (b *Book) dropOwner(w *owner, v *view) {
	b.lock()
	defer b.unlock()
	delete(b.owners, w.Owner)
	b.floor = max(b.floor, w.revision.Load())
	if v != nil {
		v.leave(w)
		b.dropView(v)
	}
	if w.tenant.owners--; w.tenant.owners == 0 {
		delete(b.tenants, w.tenant.Tenant)
		delete(b.unheld, w.tenant)
		b.counts.tenants.Add(-1)
	}
}

// move makes an owner one of the view to, and no more of from, which may be nil.
func (b *Book) move(w *owner, from *view, to View) *view {
	b.lock()
	defer b.unlock()
	entered := b.viewOf(to)
	if entered == from {
		return entered
	}
	if from != nil {
		from.leave(w)
	}
	entered.enter(w)
	return entered
}
