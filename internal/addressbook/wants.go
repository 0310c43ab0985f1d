// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"slices"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// Want replaces what o wants. What another owner of the same view made known is known at once; a change of retention acts
// at once on what is still known. A Want that changes nothing costs next to nothing, so it may be called at every reconcile;
// another one costs what it changes. Names beyond MaxNamesPerTenant or MaxNames, and listings
// beyond MaxListingsPerTenant or MaxListings, wait for room, see PatternState.Limit; those that were
// there before stay, over a start as far as next.Held says so.
func (b *Book) Want(o Owner, next Wants, now time.Time) {
	at := b.epoch.instant(now)
	t := term{retention: b.options.Retention, adaptive: true}
	if next.Retention != nil {
		t = term{retention: max(*next.Retention, 0)}
	}
	for done := false; !done; {
		done = b.want(b.ensureOwner(o), t, next, at)
	}
}

// want replaces what w wants; false: it was forgotten meanwhile.
func (b *Book) want(w *owner, t term, next Wants, at instant) bool {
	w.changing.Lock()
	old := w.list.Load()
	same := old != nil && old.term == t && old.view.View == next.View
	if w.gone || same && (old.lists(next.Patterns) || w.repeats(old, next.Patterns)) {
		w.changing.Unlock()
		return !w.gone
	}
	if old == nil {
		old = &list{}
	}
	b.replace(w, old, t, next, at)
	w.changing.Unlock()
	b.yield(w.tenant)
	b.admit(w.tenant)
	return true
}

// repeats tells whether ps are what w wants, but for repeats, and remembers how it was given them.
func (w *owner) repeats(l *list, ps []fqdn.Pattern) bool {
	given := *l
	given.asGiven = nil
	if !given.lists(distinct(ps)) {
		return false
	}
	given.asGiven = slices.Clone(ps)
	w.list.Store(&given)
	return true
}

// replace makes the list of w another one. First it leaves what is not wanted any more, so that there is room.
//
//	wanted so far   wanted now        left  joined   joined by another term
//	a b, 5m         b c, 5m           a     c        -
//	a b, 5m         a b, 1h           -     -        a b, before they are left: nothing is forgotten
//	a b             a b, other view   a b   a b      -                            (but not wildcards)
func (b *Book) replace(w *owner, old *list, t term, next Wants, at instant) {
	from := old.view
	l := &list{term: t, view: b.move(w, from, next.View), held: b.heldOf(next.Held, at)}
	b.pruneAll(old.wants, l.view, next.Patterns, at)
	ps := distinct(next.Patterns)
	if len(ps) != len(next.Patterns) {
		l.asGiven = slices.Clone(next.Patterns)
	}
	wanted := make(map[fqdn.Pattern]bool, len(ps))
	for _, p := range ps {
		wanted[p] = true
	}
	before := make(map[fqdn.Pattern]*want, len(old.wants))
	for _, x := range old.wants {
		before[*x.pattern] = x
		if !wanted[*x.pattern] || moves(*x.pattern, from, l.view) {
			b.leave(x)
		}
	}
	l.wants = make([]*want, len(ps))
	for i, p := range ps {
		l.wants[i] = b.rejoin(w, from, l, before[p], p, at)
	}
	b.counts.patterns.Add(int64(len(ps) - len(old.wants)))
	l.held = nil
	w.list.Store(l)
	b.gainAll(w, before, l)
	if from != l.view {
		b.forgetView(from)
	}
}

// rejoin returns the want of a pattern that the list l wants; before is the one so far, if any, in the view from.
func (b *Book) rejoin(w *owner, from *view, l *list, before *want, p fqdn.Pattern, at instant) *want {
	if before == nil {
		return b.join(newWant(w, p, at, l.held[p]), l)
	}
	moved := moves(p, from, l.view)
	if !moved && (before.group == nil || before.group.term() == l.term) {
		return before
	}
	x := newWant(w, p, before.since, before.held)
	if moved {
		return b.join(x, l) // before was left already
	}
	b.countListing(w.tenant, 1) // in place of before, also where there is no room
	if x.limit = b.joinName(x, l); x.limit != NoLimit {
		b.countListing(w.tenant, -1)
		b.wait(x)
	}
	b.leave(before)
	return x
}

// moves tells whether a pattern is known elsewhere in another view.
func moves(p fqdn.Pattern, from, to *view) bool { return viewFor(p, from.View) != viewFor(p, to.View) }

// gainAll gives w a new revision, with which it has what the names that it joined knew already.
func (b *Book) gainAll(w *owner, before map[fqdn.Pattern]*want, l *list) {
	r := Revision(w.revision.Add(1))
	for _, x := range l.wants {
		if n := x.name(); n != nil && x != before[*x.pattern] && n.hasAddresses() {
			x.gains(r, false)
		}
	}
}

func (n *name) hasAddresses() bool {
	n.lock()
	defer n.unlock()
	return n.size > 0
}

// distinct leaves out repeats and zero patterns.
func distinct(ps []fqdn.Pattern) []fqdn.Pattern {
	seen := make(map[fqdn.Pattern]bool, len(ps))
	kept := make([]fqdn.Pattern, 0, len(ps))
	for _, p := range ps {
		if !seen[p] && p != (fqdn.Pattern{}) {
			seen[p] = true
			kept = append(kept, p)
		}
	}
	return kept
}

// pruneAll prunes the names that a Want concerns by the retentions so far: what is gone by these does not come back
// with a longer one.
func (b *Book) pruneAll(old []*want, v *view, ps []fqdn.Pattern, at instant) {
	for _, x := range old {
		if n := x.name(); n != nil {
			n.pruneAlone(at)
		}
	}
	for _, p := range ps {
		if n := b.find(viewFor(p, v.View), p); n != nil {
			n.pruneAlone(at)
		}
	}
}

func (n *name) pruneAlone(at instant) {
	n.lock()
	defer n.unlock()
	if !n.gone {
		n.prune(at)
	}
}

// viewFor is the view in which a pattern is known: a wildcard is not asked of anybody, so it has one pool for all views.
func viewFor(p fqdn.Pattern, v View) View {
	if _, exact := p.Exact(); !exact {
		return ""
	}
	return v
}

// Forget drops o; names that nobody else wants go with all that is known of them.
func (b *Book) Forget(o Owner) {
	w := b.ownerNamed(o)
	if w == nil {
		return
	}
	w.changing.Lock()
	b.forget(w)
	w.changing.Unlock()
	b.admit(w.tenant)
}

func (b *Book) forget(w *owner) {
	if w.gone {
		return
	}
	w.gone = true
	var in *view
	if l := w.list.Load(); l != nil {
		for _, x := range l.wants {
			b.leave(x)
		}
		b.counts.patterns.Add(-int64(len(l.wants)))
		in = l.view
	}
	b.dropOwner(w, in)
	w.acks.forget()
}

// forgetView forgets a view that an owner left, unless others name or serve it; nil is none.
func (b *Book) forgetView(v *view) {
	if v != nil {
		b.lock()
		defer b.unlock()
		b.dropView(v)
	}
}
