// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"cmp"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// View is who is asked about a name: the upstreams of the process, or others that an owner names for its names (split
// horizon; a view is what DNS servers call a side of one). What is known of a name in one view is known in no other: who
// names a server of its own must reach nobody else's rules with what it says.
//
// The zero View is that of the process' upstreams.
type View string

// ViewOf returns the view of upstreams, each as the resolver's ParseUpstream reads it. Their order and repeats do not
// matter; spelled otherwise a view is another one. None give the zero View.
func ViewOf(upstreams []string) View {
	return View(strings.Join(slices.Compact(slices.Sorted(slices.Values(upstreams))), ","))
}

// Upstreams returns the upstreams of a view, sorted; none for the zero View.
func (v View) Upstreams() []string {
	if v == "" {
		return nil
	}
	return strings.Split(string(v), ",")
}

// Subject is a name in a view: what is asked about.
type Subject struct {
	View View
	Name fqdn.Name
}

// Compare orders subjects by view, then name.
func (s Subject) Compare(t Subject) int {
	return cmp.Or(strings.Compare(string(s.View), string(t.View)), strings.Compare(s.Name.String(), t.Name.String()))
}

// String is for logs: "www.example.com", or "www.example.com by 10.0.0.53:53".
func (s Subject) String() string {
	if s.View == "" {
		return s.Name.String()
	}
	return s.Name.String() + " by " + string(s.View)
}

// view is what the Book has of a View: its names, who lists them, and what it gets from its sources. The Book's lock guards
// it.
type view struct {
	View
	book *Book

	// The names of a View that somebody names; those of the zero View are in the Book's index. all has them once more, in no
	// order, so that they can be walked in pieces.
	names  map[fqdn.Pattern]*name
	all    []*name
	owners []*owner

	sources atomic.Int32 // how many are asked, as the producer says
	heard   atomic.Bool  // one of them gave a good answer
}

// viewOf returns a view, which it makes if need be. The lock is held.
func (b *Book) viewOf(v View) *view {
	known := b.views[v]
	if known == nil {
		known = &view{View: v, book: b, names: map[fqdn.Pattern]*name{}}
		b.views[v] = known
	}
	return known
}

// dropView forgets a view that nobody names and nobody serves, so that views which come and go leave nothing behind. The
// zero View stays: what it heard holds for the process. The lock is held.
func (b *Book) dropView(v *view) {
	if v.View != "" && len(v.owners) == 0 && len(v.names) == 0 && v.sources.Load() == 0 {
		delete(b.views, v.View)
	}
}

func (b *Book) allViews() []*view {
	b.rlock()
	defer b.runlock()
	all := make([]*view, 0, len(b.views))
	for _, v := range b.views {
		all = append(all, v)
	}
	return all
}

// ownersIn returns the owners that name a view.
func (b *Book) ownersIn(v *view) []*owner {
	b.rlock()
	defer b.runlock()
	return slices.Clone(v.owners)
}

// piece is how many names are taken from a view at a time: to copy 512 pointers takes less than a microsecond.
const piece = 512

// eachName calls do with each name of a view, without a lock held. It walks from the end, so that a name which moves to
// the place of one that went (see remove) is met at least once. One that comes meanwhile may be missed.
func (b *Book) eachName(v *view, do func(*name)) {
	if v.View == "" {
		b.index.Each(do)
		return
	}
	var some []*name
	for end := -1; end != 0; {
		some, end = b.namesBefore(v, end, some[:0])
		for _, n := range some {
			do(n)
		}
	}
}

// namesBefore appends the names of a piece that ends before end, or, if that is negative, of the last one.
func (b *Book) namesBefore(v *view, end int, some []*name) (names []*name, first int) {
	b.rlock()
	defer b.runlock()
	if end < 0 {
		end = len(v.all)
	}
	end = min(end, len(v.all))
	first = max(end-piece, 0)
	return append(some, v.all[first:end]...), first
}

// find returns the name of a pattern; nil: the view has none.
func (v *view) find(p fqdn.Pattern) *name {
	if v.View == "" {
		return v.book.index.Get(p)
	}
	return v.names[p]
}

// add makes a name one of the view. The lock is held.
func (v *view) add(n *name) {
	if v.View == "" {
		v.book.index.Add(n)
		return
	}
	v.names[n.pattern] = n
	n.place = int32(len(v.all))
	v.all = append(v.all, n)
}

// remove takes a name out of the view; the last one takes its place. The lock is held.
func (v *view) remove(n *name) {
	if v.View == "" {
		v.book.index.Remove(n.pattern)
		return
	}
	delete(v.names, n.pattern)
	last := v.all[len(v.all)-1]
	v.all[n.place], last.place = last, n.place
	v.all[len(v.all)-1] = nil
	v.all = v.all[:len(v.all)-1]
}

// enter makes an owner one of the view, leave takes it out. The lock is held.
func (v *view) enter(w *owner) {
	w.place = len(v.owners)
	v.owners = append(v.owners, w)
}

func (v *view) leave(w *owner) {
	last := v.owners[len(v.owners)-1]
	v.owners[w.place], last.place = last, w.place
	v.owners[len(v.owners)-1] = nil
	v.owners = v.owners[:len(v.owners)-1]
}
