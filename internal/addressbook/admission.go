// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import "slices"

// Names beyond a limit wait. When others go, they are admitted: the tenants by turns, within one in the order in which they
// were listed. With room for two names in all:
//
//	step                 names  tenant a waits for  tenant b waits for
//	a lists a1 a2 a3     a1 a2  a3                  -
//	b lists b1           a1 a2  a3                  b1
//	a drops a1           a2 a3  -                   b1
//	a drops a2           a3 b1  -                   -

// wait puts x at the end of those of its tenant that wait for room.
func (b *Book) wait(x *want) { b.waitBy((*queue).add, x) }

// waitAgain puts x before all of its tenant that wait for room.
func (b *Book) waitAgain(x *want) { b.waitBy((*queue).putBack, x) }

func (b *Book) waitBy(put func(*queue, *want), x *want) {
	b.lock()
	defer b.unlock()
	t := x.owner.tenant
	if t.waiting.size == 0 {
		b.waiting = append(b.waiting, t)
	}
	put(&t.waiting, x)
}

// waitNoMore takes x out of those that wait.
func (b *Book) waitNoMore(x *want) {
	b.lock()
	defer b.unlock()
	t := x.owner.tenant
	if t.waiting.remove(x) && t.waiting.size == 0 {
		b.waiting = slices.DeleteFunc(b.waiting, func(o *tenant) bool { return o == t })
	}
}

// admit lets wants that wait join their names as far as there is room now, and wakes their owners.
func (b *Book) admit(t *tenant) {
	var told news
	b.admitKnown(t, &told)
	for x := b.nextWaiting(); x != nil && b.admitOne(x, &told); x = b.nextWaiting() {
		b.admitKnown(x.owner.tenant, &told)
	}
	b.admitListings(&told)
	b.tell(told)
}

// admitListings admits the wants of all tenants whose names are known, if listings of the process were what was short: a tenant whose
// names are full is passed over by nextWaiting, and yet may list one of them once more.
func (b *Book) admitListings(told *news) {
	if !b.listingsShort.Swap(false) {
		return
	}
	b.rlock()
	waiting := slices.Clone(b.waiting)
	b.runlock()
	for _, t := range waiting {
		b.admitKnown(t, told)
		if b.roomForListings(t) == 0 {
			b.listingsShort.Store(true)
		}
	}
}

// admitKnown admits the wants of a tenant whose names are known by now, and may be no further ones.
func (b *Book) admitKnown(t *tenant, told *news) {
	if !b.mayList(t) {
		return
	}
	for _, x := range b.waitingOf(t) {
		if !b.mayList(t) {
			return
		}
		if l := x.owner.list.Load(); l != nil && b.find(viewFor(*x.pattern, l.view.View), *x.pattern) != nil {
			b.admitOne(x, told)
		}
	}
}

func (b *Book) waitingOf(t *tenant) []*want {
	b.rlock()
	defer b.runlock()
	return t.waiting.all()
}

// nextWaiting returns the want whose turn it is; nil: there is none, or no room for any.
func (b *Book) nextWaiting() *want {
	b.lock()
	defer b.unlock()
	for i, t := range b.waiting {
		if t.names.Load() < int64(b.options.MaxNamesPerTenant) && b.roomForNames(t) > 0 && b.mayList(t) {
			b.waiting = append(slices.Delete(b.waiting, i, i+1), t) // its next turn comes after the others'
			return t.waiting.first()
		}
	}
	return nil
}

// admitOne lets a want join its name, unless its owner dropped it or there is no room after all.
func (b *Book) admitOne(x *want, told *news) bool {
	w := x.owner
	w.changing.Lock()
	defer w.changing.Unlock()
	l := w.list.Load()
	if w.gone || l == nil {
		return false
	}
	i := slices.Index(l.wants, x)
	if i < 0 {
		return false
	}
	joined := newWant(w, *x.pattern, x.since, x.held)
	if b.tryJoin(joined, l) != NoLimit {
		return false
	}
	b.waitNoMore(x)
	b.replaceWant(w, l, i, joined)
	urgency := Other
	if joined.name().hasAddresses() {
		urgency = Added
	}
	told.add(news{wakes: []wake{{wants: []*want{joined}, urgency: urgency}}})
	return true
}
