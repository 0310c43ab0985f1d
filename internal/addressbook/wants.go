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
// another one costs what it changes. Names beyond MaxNamesPerTenant or MaxNames wait for room, see Entry.Limit; those that were
// there before stay.
func (b *Book) Want(o Owner, next Wants, now time.Time) {
	at := b.epoch.instant(now)
	t := term{retention: b.options.Retention, adaptive: true}
	if next.Retention != nil {
		t = term{retention: max(*next.Retention, 0)}
	}
	for !b.want(b.ensureOwner(o), t, next, at) {
	}
}

// want replaces what w wants; false: it was forgotten meanwhile.
func (b *Book) want(w *owner, t term, next Wants, at instant) bool {
	w.changing.Lock()
	old := w.list.Load()
	unchanged := old != nil && old.term == t && old.view.View == next.View && old.lists(next.Patterns)
	if w.gone || unchanged {
		w.changing.Unlock()
		return !w.gone
	}
	if old == nil {
		old = &list{}
	}
	b.replace(w, old, t, next, at)
	w.changing.Unlock()
	b.admit(w.tenant)
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
	l := &list{term: t, view: b.move(w, from, next.View)}
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
		before[x.pattern] = x
		if !wanted[x.pattern] || moves(x, l.view) {
			b.leave(x)
		}
	}
	l.wants = make([]*want, len(ps))
	for i, p := range ps {
		l.wants[i] = b.rejoin(w, l, before[p], p, at)
	}
	b.counts.patterns.Add(int64(len(ps) - len(old.wants)))
	w.list.Store(l)
	b.gainAll(w, before, l)
	if from != l.view {
		b.forgetView(from)
	}
}

// rejoin returns the want of a pattern that the list l wants; before is the one so far, if any.
func (b *Book) rejoin(w *owner, l *list, before *want, p fqdn.Pattern, at instant) *want {
	switch {
	case before == nil:
		return b.join(&want{owner: w, pattern: p, view: l.view.View, since: at}, l)
	case moves(before, l.view):
		return b.join(&want{owner: w, pattern: p, view: l.view.View, since: before.since}, l)
	case before.name == nil || before.group.term == l.term:
		return before
	}
	x := b.join(&want{owner: w, pattern: p, view: l.view.View, since: before.since}, l)
	b.leave(before)
	return x
}

// moves tells whether a want is known elsewhere in another view.
func moves(x *want, to *view) bool { return viewFor(x.pattern, x.view) != viewFor(x.pattern, to.View) }

// gainAll gives w a new revision, with which it has what the names that it joined knew already.
func (b *Book) gainAll(w *owner, before map[fqdn.Pattern]*want, l *list) {
	r := Revision(w.revision.Add(1))
	for _, x := range l.wants {
		if x != before[x.pattern] && x.name != nil && x.name.hasAddresses() {
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
		if x.name != nil {
			x.name.pruneAlone(at)
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

// join makes x one of those that want its name if there is room; else x waits.
func (b *Book) join(x *want, l *list) *want {
	if x.limit = b.tryJoin(x, l); x.limit != NoLimit {
		b.wait(x)
	}
	return x
}

// tryJoin returns what keeps x from joining its name; NoLimit: it joined.
func (b *Book) tryJoin(x *want, l *list) Limit {
	n, limit := b.reserve(x.pattern, l.view.View, x.owner.tenant)
	if limit != NoLimit {
		return limit
	}
	told, ok := n.join(x, l.term)
	if !ok {
		b.release(n)
		return NamesPerTenant
	}
	if told && n.exact() {
		b.subscribers.note(n.subject(), false)
	}
	return NoLimit
}

// reserve returns the name of a pattern, which it makes if there is room, and sees to it that it stays.
func (b *Book) reserve(p fqdn.Pattern, v View, t *tenant) (*name, Limit) {
	b.lock()
	defer b.unlock()
	in := b.viewOf(viewFor(p, v))
	n := in.names[p]
	if n == nil {
		switch o := &b.options; {
		case t.names.Load() >= int64(o.MaxNamesPerTenant):
			return nil, NamesPerTenant
		case b.counts.names.Load()+b.counts.wildcards.Load() >= int64(o.MaxNames):
			return nil, NamesOfProcess
		}
		n = b.newName(p, in)
		in.add(n)
		b.count(n, 1)
		if in.View == "" {
			b.index.Add(p)
		}
	}
	n.refs++
	return n, NoLimit
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
	if n.view.View == "" {
		b.index.Remove(n.pattern)
	}
	return true
}

// bury forgets all that is known of a name.
func (n *name) bury() {
	n.lock()
	defer n.unlock()
	n.gone = true
	n.book.counts.questions.Add(-int64(len(n.questions)))
	n.forgetRotations()
	n.questions, n.overheard = nil, [families][]overheard{}
	n.changes(IPv4)
	n.changes(IPv6)
	n.resize(0)
}

// join makes x one of those that want n. told: subscribers are to be told; false: its tenant has too many names.
func (n *name) join(x *want, t term) (told, ok bool) {
	n.lock()
	defer n.unlock()
	if told, ok = n.joinTenant(x.owner.tenant); !ok {
		return false, false
	}
	i, known := slices.BinarySearchFunc(n.groups, t, func(g *group, t term) int { return g.term.compare(t) })
	if !known {
		n.groups = slices.Insert(n.groups, i, &group{term: t})
	}
	x.name, x.group = n, n.groups[i]
	x.place = len(x.group.wants)
	x.group.wants = append(x.group.wants, x)
	if longer := n.retentionFor(t); longer > n.retention {
		n.retention = longer
		n.prunesFrom(never)
	}
	return told, true
}

// leave takes x out of those that want its name, or wait for room.
func (b *Book) leave(x *want) {
	n := x.name
	if n == nil {
		b.waitNoMore(x)
		return
	}
	x.leaves()
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
	last := g.wants[len(g.wants)-1]
	g.wants[x.place], last.place = last, x.place
	g.wants[len(g.wants)-1] = nil
	g.wants = g.wants[:len(g.wants)-1]
	if len(g.wants) == 0 {
		n.groups = slices.DeleteFunc(n.groups, func(h *group) bool { return h == g })
	}
	if n.retentionFor(g.term) == n.retention {
		n.retention = n.longestRetention()
		n.prunesFrom(never)
	}
	return n.leaveTenant(x.owner.tenant)
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
