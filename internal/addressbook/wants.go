// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"slices"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// owner is what one owner wants.
type owner struct {
	Owner

	term  term
	view  View
	wants []want
}

// term is how long an owner keeps addresses: as it says, or, adaptive, for longer where a name's rotation needs it.
type term struct {
	retention time.Duration
	adaptive  bool
}

// want is one pattern that an owner lists.
type want struct {
	pattern fqdn.Pattern
	since   instant
	name    *name // nil for a wildcard
}

// wantedNames is what Wanted returns, made anew at the first call after a change.
type wantedNames struct {
	sorted []Subject
	fresh  bool
	signal chan struct{}
	// dropped went since the last Wanted.
	dropped map[Subject]bool
}

// Want replaces what o wants. What another owner of the same view made known is known at once; a change of retention acts
// at once on what is still known. A Want that changes nothing costs next to nothing, so it may be called at every reconcile.
func (b *Book) Want(o Owner, next Wants, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.epoch.instant(now)
	t := term{retention: b.options.Retention, adaptive: true}
	if next.Retention != nil {
		t = term{retention: max(*next.Retention, 0)}
	}
	w, known := b.owners[o]
	if !known {
		w = &owner{Owner: o}
		b.owners[o] = w
	} else if w.term == t && w.view == next.View && w.lists(next.Patterns) {
		return
	}
	old, left := w.wants, w.view
	b.pruneAll(old, next, at)
	b.left(w, old)
	b.enter(next.View)
	if known {
		b.leave(left)
	}
	w.term, w.view = t, next.View
	w.wants = b.join(w, next.Patterns, old, at)
	b.dropUnwanted(left, old)
}

// lists tells whether w wants just ps, in that order.
func (w *owner) lists(ps []fqdn.Pattern) bool {
	return slices.EqualFunc(w.wants, ps, func(x want, p fqdn.Pattern) bool { return x.pattern == p })
}

// pruneAll prunes the names that a Want concerns by the retentions so far: what is gone by these does not come back
// with a longer one.
func (b *Book) pruneAll(old []want, next Wants, at instant) {
	for _, was := range old {
		if was.name != nil {
			b.prune(was.name, at)
		}
	}
	for _, p := range next.Patterns {
		key, exact := p.Exact()
		if n := b.names[Subject{View: next.View, Name: key}]; exact && n != nil {
			b.prune(n, at)
		}
	}
}

// join makes w an owner of what ps name. Patterns that were listed before are wanted since then.
func (b *Book) join(w *owner, ps []fqdn.Pattern, old []want, at instant) []want {
	listed := make(map[fqdn.Pattern]instant, len(old))
	for _, was := range old {
		listed[was.pattern] = was.since
	}
	wants := make([]want, 0, len(ps))
	seen := make(map[fqdn.Pattern]bool, len(ps))
	for _, p := range ps {
		if seen[p] || p == (fqdn.Pattern{}) {
			continue
		}
		seen[p] = true
		since, again := listed[p]
		if !again {
			since = at
		}
		wants = append(wants, want{pattern: p, since: since, name: b.joinName(w, p)})
	}
	return wants
}

// joinName makes w an owner of the name of an exact pattern; nil for a wildcard.
func (b *Book) joinName(w *owner, p fqdn.Pattern) *name {
	key, exact := p.Exact()
	if !exact {
		return nil
	}
	about := Subject{View: w.view, Name: key}
	n := b.names[about]
	if n == nil {
		n = newName(key)
		b.names[about] = n
		b.wanted.change()
	}
	b.note(about, false)
	n.owners = append(n.owners, w)
	n.retention = max(n.retention, n.retentionFor(w.term))
	return n
}

// Forget drops o; names that nobody else wants go with all that is known of them.
func (b *Book) Forget(o Owner) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.owners[o]
	if w == nil {
		return
	}
	delete(b.owners, o)
	b.left(w, w.wants)
	b.dropUnwanted(w.view, w.wants)
	b.leave(w.view)
}

// dropUnwanted forgets those names of a view that nobody wants any more.
func (b *Book) dropUnwanted(v View, old []want) {
	for _, was := range old {
		if key, exact := was.pattern.Exact(); exact && len(was.name.owners) == 0 {
			about := Subject{View: v, Name: key}
			delete(b.names, about)
			b.wanted.drop(about)
			b.note(about, true)
		}
	}
}

// left takes w out of the owners of its names.
func (b *Book) left(w *owner, old []want) {
	for _, was := range old {
		was.name.remove(w)
		if key, exact := was.pattern.Exact(); exact {
			b.note(Subject{View: w.view, Name: key}, false)
		}
	}
}

// remove takes w out of the owners of a name; nil, for a wildcard, has none.
func (n *name) remove(w *owner) {
	if n == nil {
		return
	}
	i := slices.Index(n.owners, w)
	last := len(n.owners) - 1
	n.owners[i] = n.owners[last]
	n.owners[last] = nil
	n.owners = n.owners[:last]
	if n.retentionFor(w.term) == n.retention {
		n.retention = n.longestRetention()
	}
}

// Wanted returns the exact names that somebody wants, in their views, sorted, and a channel that is closed when that set
// changes.
// The slice is shared with other callers: do not change it. Wildcards name nothing to resolve.
//
// A name that went and came back since the last call, with nothing known of it any more, is left out once, and the
// channel is closed already: who compares the sets sees it go and come.
func (b *Book) Wanted() ([]Subject, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.wanted.fresh {
		return b.wanted.sorted, b.wanted.signal
	}
	names, returned := make([]Subject, 0, len(b.names)), false
	for key := range b.names {
		if b.wanted.dropped[key] {
			returned = true
			continue
		}
		names = append(names, key)
	}
	clear(b.wanted.dropped)
	slices.SortFunc(names, Subject.Compare)
	if returned {
		again := make(chan struct{})
		close(again)
		return names, again
	}
	b.wanted.sorted, b.wanted.fresh = names, true
	return b.wanted.sorted, b.wanted.signal
}

// drop signals that a name went.
func (w *wantedNames) drop(about Subject) {
	if w.dropped == nil {
		w.dropped = map[Subject]bool{}
	}
	w.dropped[about] = true
	w.change()
}

// change signals that the set of names changed. Without a Wanted since the last change nobody waits for it.
func (w *wantedNames) change() {
	if !w.fresh {
		return
	}
	w.sorted, w.fresh = nil, false
	close(w.signal)
	w.signal = make(chan struct{})
}
