// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"hash/maphash"
	"time"
)

// sight is what a group sees of a name: a facet with its addresses. It is immutable.
type sight struct {
	*facet
	from, end instant // it lists just what it should from then on until before end: some leave without a change of the facet
	addresses []Address
	revision  Revision
}

// lists tells whether a Snapshot at that instant would list the same.
func (l *sight) lists(at instant) bool {
	return l != nil && l.valid(at) && l.from <= at && at < l.end
}

// lastSight returns the last sight that was kept of a group; nil: none was, or something changed since.
func (g *group) lastSight() *sight {
	if k := g.kept.Load(); k != nil {
		return k.sight.Load()
	}
	return nil
}

// list returns what a group's Snapshot lists. It is kept where another Snapshot is likely to ask for it.
func (n *name) list(g *group, at instant) *sight {
	n.lock()
	defer n.unlock()
	us := n.united()
	l := &sight{facet: n.facetOf(g, us, &verdict{}, at), from: at}
	l.addresses, l.end = n.addresses(us, l.retention, at)
	l.revision = n.view.book.revisionOf(l.addresses)
	if len(n.groups.all()) <= keptTerms && (len(g.wants.all()) > 1 || len(l.addresses) > keptSight) {
		g.keep().sight.Store(l)
	}
	return l
}

// keptTerms is for how many terms of a name sights are kept. Most names have one, that of policies without retentionSeconds.
// 500 policies with a retention each would else keep a name of 1,000 addresses 500 times, 56 bytes an address.
const keptTerms = 2

// keptSight is from how many addresses on what one owner alone sees is kept between its Snapshots: 16 of 56 bytes are
// 900, which is as much as the rest of a name takes, and are made in 300 ns.
const keptSight = 16

// addresses lists those that an owner with that retention still sees, and until when these are all.
func (n *name) addresses(us unions, retention time.Duration, at instant) (listed []Address, end instant) {
	end = forever
	size := 0
	for _, family := range us {
		for i := range family {
			if gone := family[i].until(retention).plus(ListedAfterUntil); gone > at {
				size++
				end = min(end, gone)
			}
		}
	}
	if size == 0 {
		return nil, end
	}
	listed = make([]Address, 0, size)
	for f, family := range us {
		for i := range family {
			if u := &family[i]; u.listed(retention, at) {
				listed = append(listed, Address{
					Addr:    u.ip.addr(Family(f)),
					Current: u.current(at),
					Until:   n.view.book.epoch.time(u.until(retention)),
				})
			}
		}
	}
	return listed, end
}

// revisionOf is a hash of the set of addresses, which are sorted: so equal sets have equal revisions, whichever owner asks and
// whatever was between. That two sets share one by chance happens once in 2^64 times; the seed is random, so nobody can
// choose such sets.
func (b *Book) revisionOf(addrs []Address) Revision {
	if len(addrs) == 0 {
		return 0
	}
	var h maphash.Hash
	h.SetSeed(b.seed)
	for _, a := range addrs {
		bits := a.Addr.As16()
		_, _ = h.Write(bits[:])
		_ = h.WriteByte(byte(familyOf(a.Addr)))
	}
	return Revision(max(h.Sum64(), 1))
}
