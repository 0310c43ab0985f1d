// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import "slices"

// join makes x one of those that want its name if there is room; else x waits.
func (b *Book) join(x *want, l *list) *want {
	if x.limit = b.tryJoin(x, l); x.limit != NoLimit {
		b.wait(x)
	}
	return x
}

// tryJoin returns what keeps x from joining its name; NoLimit: it joined.
func (b *Book) tryJoin(x *want, l *list) Limit {
	limit := b.takeListing(x)
	if limit != NoLimit {
		return limit
	}
	if limit = b.joinName(x, l); limit != NoLimit {
		b.countListing(x.owner.tenant, -1)
	}
	return limit
}

// takeListing counts a listing more, and returns what forbids it.
func (b *Book) takeListing(x *want) Limit {
	t := x.owner.tenant
	if b.roomForListings(t) == 0 && (!x.held || !b.hasPlaceForHeldListing(t)) {
		b.listingsShort.Store(true)
		return ListingsOfProcess
	}
	if !t.takesListing(x.held) {
		return ListingsPerTenant
	}
	b.counts.listings.Add(1)
	return NoLimit
}

// hasPlaceForHeldListing tells whether a held want may be listed where the process has no room for others: in the place of one that is
// not held, which yields, or in what is kept for small tenants.
func (b *Book) hasPlaceForHeldListing(t *tenant) bool {
	if t.listings.Load() < int64(b.options.MaxListingsPerTenant) {
		return b.counts.listings.Load() < int64(b.options.MaxListings)
	}
	b.rlock()
	defer b.runlock()
	u := b.unheld[t]
	return u != nil && len(u.wants) > 0
}

// countListing counts a listing more of a tenant, or less.
func (b *Book) countListing(t *tenant, by int64) {
	t.listings.Add(by)
	b.counts.listings.Add(by)
}

// joinName makes x one of those that want its name, and returns what forbids it.
func (b *Book) joinName(x *want, l *list) Limit {
	n, limit := b.reserve(x, l.view.View)
	if limit != NoLimit {
		return limit
	}
	told, further, ok := n.join(x, l.term)
	if !ok {
		b.release(n)
		return NamesPerTenant
	}
	if !x.held {
		b.noteUnheld(x, further)
	}
	if told && n.exact() {
		b.subscribers.note(n.subject(), false)
	}
	return NoLimit
}

// reserve returns the name of a want, which it makes if there is room, and sees to it that it stays.
func (b *Book) reserve(x *want, v View) (*name, Limit) {
	b.lock()
	defer b.unlock()
	p, t := *x.pattern, x.owner.tenant
	in := b.viewOf(viewFor(p, v))
	n := in.find(p)
	if n == nil {
		switch full := t.names.Load() >= int64(b.options.MaxNamesPerTenant); {
		case full && !x.held:
			return nil, NamesPerTenant
		case b.roomForNames(t) == 0 && (!x.held || !b.hasPlaceForHeldName(t, full)):
			return nil, NamesOfProcess
		}
		n = b.newName(p, in)
		in.add(n)
		b.count(n, 1)
	}
	n.refs++
	return n, NoLimit
}

// hasPlaceForHeldName is the same for names. The Book's lock is held.
func (b *Book) hasPlaceForHeldName(t *tenant, full bool) bool {
	if !full {
		return b.roomForHeldNames() > 0
	}
	u := b.unheld[t]
	return u != nil && len(u.names) > 0
}

// count counts a name more, or less.
func (b *Book) count(n *name, by int64) {
	if n.exact() {
		b.counts.names.Add(by)
	} else {
		b.counts.wildcards.Add(by)
	}
}

// release undoes a reserve. The name goes with the last, and all that is known of it.
func (b *Book) release(n *name) {
	if !b.unref(n) {
		return
	}
	n.bury()
	if n.exact() {
		b.subscribers.note(n.subject(), true)
	}
}

func (b *Book) unref(n *name) (last bool) {
	b.lock()
	defer b.unlock()
	if n.refs--; n.refs > 0 {
		return false
	}
	n.view.remove(n)
	b.count(n, -1)
	return true
}

// bury forgets all that is known of a name.
func (n *name) bury() {
	n.lock()
	defer n.unlock()
	n.gone = true
	n.view.book.counts.questions.Add(-int64(len(n.questions)))
	n.forgetRotations()
	n.questions, n.rare = nil, n.view.book.common
	n.changes(IPv4)
	n.changes(IPv6)
	n.resize(0)
}

// join makes x one of those that want n. told: subscribers are to be told; further: its tenant has a name more; not ok: it has
// too many.
func (n *name) join(x *want, t term) (told, further, ok bool) {
	n.lock()
	defer n.unlock()
	if further = n.shareOf(x.owner.tenant) < 0; further && !x.owner.tenant.takesName(x.held) {
		return false, false, false
	}
	i, known := slices.BinarySearchFunc(n.groups.all(), t, func(g *group, t term) int { return g.term().compare(t) })
	if !known {
		n.groups.insert(i, &group{name: n, retention: t.retention, adaptive: t.adaptive})
	}
	x.pattern, x.group = &n.pattern, n.groups.all()[i]
	x.group.join(x)
	told = n.joinTenant(x)
	if longer := n.retentionFor(t); longer > n.retention {
		n.retention = longer
		n.prunesFrom(never)
	}
	if !known && n.size > 0 {
		x.group.size = n.countFor(x.group, n.united(), n.looked)
		n.prunesFrom(n.rare.chargedUntil)
	}
	n.chargeShare(n.shareOf(x.owner.tenant))
	return told, further, true
}

// leave takes x out of those that want its name, or wait for room.
func (b *Book) leave(x *want) {
	n := x.name()
	if n == nil {
		b.waitNoMore(x)
		return
	}
	x.leaves()
	b.countListing(x.owner.tenant, -1)
	if n.leave(x) && n.exact() {
		b.subscribers.note(n.subject(), false)
	}
	b.release(n)
}

// leave takes x out. told: subscribers are to be told.
func (n *name) leave(x *want) (told bool) {
	n.lock()
	defer n.unlock()
	g := x.group
	g.leave(x)
	if len(g.wants.all()) == 0 {
		n.groups.remove(slices.Index(n.groups.all(), g))
	}
	if n.retentionFor(g.term()) == n.retention {
		n.retention = n.longestRetention()
		n.prunesFrom(never)
	}
	return n.leaveTenant(x.owner.tenant, g)
}
