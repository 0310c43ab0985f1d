// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"slices"
	"sync/atomic"
	"time"
)

// group are the owners that want a name for the same term. They see the same of it, so it is computed once for all.
type group struct {
	name      *name
	retention time.Duration // with adaptive the term
	adaptive  bool
	size      int32 // the addresses that it lists, see charge
	wants     few[*want]
	kept      atomic.Pointer[kept] // nil: nothing is kept
}

func (g *group) term() term { return term{retention: g.retention, adaptive: g.adaptive} }

// kept is what is kept of a group of many owners, or of a name of many addresses, from one call to the next.
type kept struct {
	wants []*want // a copy that is handed out; nil: the wants changed since, or are few
	facet *facet  // the last one; nil: it was not kept, or something changed since
	// sight is the last one that a Snapshot made, so that the next one takes no lock; nil: something changed since.
	sight atomic.Pointer[sight]
}

// keep returns what is kept of a group, which it makes if need be. The name's lock is held.
func (g *group) keep() *kept {
	k := g.kept.Load()
	if k == nil {
		k = &kept{}
		g.kept.Store(k)
	}
	return k
}

// changes makes what is kept of the name invalid.
func (g *group) changes() {
	if k := g.kept.Load(); k != nil {
		k.facet = nil
		k.sight.Store(nil)
	}
}

// join adds a want.
func (g *group) join(x *want) {
	place := len(g.wants.all())
	x.place = int32(place)
	g.wants.insert(place, x)
	g.othersWant()
}

// leave takes a want out. The last one takes its place.
func (g *group) leave(x *want) {
	all := g.wants.all()
	all[len(all)-1].place = x.place
	g.wants.swapOut(int(x.place))
	g.othersWant()
}

// othersWant makes the copy of the wants invalid.
func (g *group) othersWant() {
	if k := g.kept.Load(); k != nil {
		k.wants = nil
	}
}

// manyWants is from how many on a copy of wants is kept. To copy 1,024 takes a microsecond, and 10,000 may list one name.
const manyWants = 1024

// all returns the wants, to be read without a lock.
func (g *group) all() []*want {
	wants := g.wants.all()
	if len(wants) < manyWants {
		return slices.Clone(wants)
	}
	k := g.keep()
	if k.wants == nil {
		k.wants = slices.Clone(wants)
	}
	return k.wants
}
