// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import "time"

// Snapshot returns what is known for o. An unknown owner has no entries.
func (b *Book) Snapshot(o Owner, now time.Time) Snapshot {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.epoch.instant(now)
	w := b.owners[o]
	if w == nil {
		return Snapshot{}
	}
	service := b.services[w.view]
	next := forever
	entries := make([]Entry, len(w.wants))
	for i, x := range w.wants {
		entries[i] = Entry{
			Pattern:   x.pattern,
			State:     Pending,
			Message:   unobserved,
			Wanted:    b.epoch.time(x.since),
			Retention: w.term.retention,
		}
		if x.name != nil {
			next = min(next, b.fill(&entries[i], x.name, w.term, at))
		}
	}
	return Snapshot{Entries: entries, Next: b.epoch.time(next), Served: service.sources, Heard: service.heard}
}

// fill enters what is known of a name, and returns when that changes by itself.
func (b *Book) fill(e *Entry, n *name, t term, at instant) (next instant) {
	b.before = n.unite(b.before[:0], b.options.MaxStale)
	v := b.view(n, b.before, n.retentionAt(t, at), at)
	e.State, e.Message = v.state, v.message
	if v.limited {
		e.Limit = AddressesPerName
	}
	e.Retention, e.Rotation = v.retention, v.rotation
	e.Answered, e.Tried = b.epoch.time(v.answered), v.tried
	e.Addresses = b.addresses(b.before, e.Retention, at)

	_, next = n.rotation(e.Retention, b.options.MaxAddressesPerName, at)
	if v.limited {
		next = min(next, n.limitedEnd(e.Retention))
	}
	next = min(next, b.turn(n, b.before, v, at))
	for _, u := range b.before {
		next = min(next, u.next(e.Retention, at))
	}
	return next
}

// next is when u changes by itself after at: it goes, or it is no longer current and only retained.
func (u union) next(retention time.Duration, at instant) instant {
	if u.bound > at && !u.stays {
		return u.bound
	}
	if until := u.until(retention); until > at {
		return until
	}
	return forever
}

// addresses lists those that an owner with that retention still sees.
func (b *Book) addresses(us []union, retention time.Duration, at instant) []Address {
	listed := 0
	for _, u := range us {
		if u.listed(retention, at) {
			listed++
		}
	}
	if listed == 0 {
		return nil
	}
	addresses := make([]Address, 0, listed)
	for _, u := range us {
		if u.listed(retention, at) {
			addresses = append(addresses, Address{
				Addr:    u.addr,
				Current: u.current(at),
				Until:   b.epoch.time(u.until(retention)),
			})
		}
	}
	return addresses
}

// Stats counts what the book holds now. It walks over all names.
func (b *Book) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := Stats{Owners: len(b.owners), Names: len(b.names), Evicted: b.evicted}
	for _, w := range b.owners {
		s.Patterns += len(w.wants)
	}
	for _, n := range b.names {
		s.Questions += len(n.questions)
		b.after = n.unite(b.after[:0], b.options.MaxStale)
		s.Addresses += len(b.after)
	}
	return s
}
