// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import "time"

// facet is what a group sees of a name, but for the addresses. It is immutable.
type facet struct {
	at, next instant // it is so from at on until before next, if nobody says anything

	retention time.Duration
	state     State
	message   string
	limit     Limit
	answered  instant
	tried     bool
	rotation  Rotation
}

// valid tells whether the facet is what is seen at an instant.
func (f *facet) valid(at instant) bool { return f != nil && f.at <= at && at < f.next }

// facets is what all who want a name see of it at one instant.
type facets struct {
	union unions
	each  []*facet // of the groups of the name, in their order
}

// facets returns what is seen of the name. Those that are still valid are taken as they are.
func (n *name) facets(at instant) facets {
	fs := facets{union: n.united(), each: make([]*facet, len(n.groups.all()))}
	var last verdict
	for i, g := range n.groups.all() {
		fs.each[i] = n.facetOf(g, fs.union, &last, at)
	}
	return fs
}

// verdict is what was said about standings last. Groups are sorted by retention, so of 5,000 terms most stand as the one before.
type verdict struct {
	said      bool
	standings [families]standing
	state     State
	message   string
	tried     bool
}

// on returns what is said about standings of a name.
func (v *verdict) on(n *name, ss [families]standing, at instant) *verdict {
	if !v.said || v.standings != ss {
		*v = verdict{said: true, standings: ss, tried: n.exact() && !anyFamily(ss, standing.untried)}
		v.state, v.message = n.stateOf(ss, at)
	}
	return v
}

func (n *name) facetOf(g *group, us unions, last *verdict, at instant) *facet {
	if k := g.kept.Load(); k != nil && k.facet.valid(at) {
		return k.facet
	}
	f := n.look(g.term(), us, last, at)
	if len(g.wants.all()) > 1 || us.size() >= n.view.book.cachedUnion {
		g.keep().facet = f // else it takes more to keep, 112 bytes, than to look again, a microsecond
	}
	return f
}

// look computes what a term sees.
func (n *name) look(t term, us unions, last *verdict, at instant) *facet {
	f := &facet{at: at, retention: n.retentionAt(t, at), answered: n.answeredAt()}
	ss, next := n.standings(us, f.retention, at)
	last = last.on(n, ss, at)
	f.state, f.message, f.tried = last.state, last.message, last.tried
	var ends [2]instant
	f.rotation, ends[0] = n.rotation(f.retention, at)
	f.limit, ends[1] = n.rare.marks.told(f.retention, at)
	f.next = min(next, ends[0], ends[1], n.turn(us, f, at))
	return f
}

// turn is when the state or the message of f change because what goes back and forth has calmed down; forever: they do not.
func (n *name) turn(us unions, f *facet, at instant) instant {
	first := forever
	for _, turn := range n.turns() {
		if turn <= at || turn >= first {
			continue
		}
		ss, _ := n.standings(us, f.retention, turn)
		state, message := n.stateOf(ss, turn)
		if state != f.state || message != f.message {
			first = turn
		}
	}
	return first
}

// ownersWhoSee returns the owners whose facet changed: addresses whose Until has not passed came or went; the state, the message,
// Answered, Tried, Limit, Rotation or Retention is another one; or Next came earlier. A later Until is no news.
//
//	the name has                      an answer holds  wakes                because
//	.1, and .2 until 10:05            .1 .3            all, as Added        .3 came
//	.1 .2                             .1               all, as Other        .2 has an Until now, and the first of all
//	.1, .2 until 10:05, .3 to 10:07   .2               nobody               .1 leaves at 10:08, after .3
//	.1, and .2 until 10:05            .1               nobody               nothing changed
func (n *name) ownersWhoSee(before, after facets, at instant) news {
	var told news
	for i, g := range n.groups.all() {
		b, a := before.each[i], after.each[i]
		came, went := differ(&before.union, &after.union, b.retention, a.retention, at)
		switch {
		case came:
			told.wakes = append(told.wakes, wake{wants: g.all(), urgency: Added})
		case went || a.differs(b):
			told.wakes = append(told.wakes, wake{wants: g.all(), urgency: Other})
		}
	}
	return told
}

// differs tells whether f is news for who saw old.
func (f *facet) differs(old *facet) bool {
	same := *f
	same.at, same.next = old.at, old.next
	return same != *old || f.next < old.next
}

// differ tells whether addresses came and whether some went, of those that are not past their Until.
func differ(before, after *unions, old, retention time.Duration, at instant) (came, went bool) {
	for f := range before {
		if b, a := before[f], after[f]; old == retention && len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) {
			continue // nothing was said of the family
		}
		c, w := differIn(before[f], after[f], old, retention, at)
		came, went = came || c, went || w
	}
	return came, went
}

func differIn(before, after []union, old, retention time.Duration, at instant) (came, went bool) {
	i, j := nextKept(before, 0, old, at), nextKept(after, 0, retention, at)
	for i < len(before) && j < len(after) {
		switch b, a := before[i].ip, after[j].ip; {
		case b == a:
			i, j = nextKept(before, i+1, old, at), nextKept(after, j+1, retention, at)
		case b.less(a):
			went, i = true, nextKept(before, i+1, old, at)
		default:
			return true, went
		}
	}
	return j < len(after), went || i < len(before)
}

// nextKept is the place of the first from i on that is kept.
func nextKept(us []union, i int, retention time.Duration, at instant) int {
	for i < len(us) && !us[i].kept(retention, at) {
		i++
	}
	return i
}

// answeredAt is when the last of the asked families got its first good answer; never: not yet.
func (n *name) answeredAt() instant {
	last := never
	for f, a := range n.answered {
		if !n.asked[f] {
			continue
		}
		if a == never {
			return never
		}
		last = max(last, a)
	}
	return last
}

// retentionAt is how long addresses are kept for owners of that term. While the name rotates, and for that long after its last
// change, it is what the rotation needs; then it is the owner's own retention.
func (n *name) retentionAt(t term, at instant) time.Duration {
	if kept := n.retentionFor(t); n.rare.rotated.plus(kept) > at {
		return kept
	}
	return t.retention
}

// retentionFor is how long addresses are kept for owners of that term while the name rotates.
func (n *name) retentionFor(t term) time.Duration {
	if t.adaptive {
		return max(t.retention, n.rare.adapted)
	}
	return t.retention
}

func (n *name) longestRetention() time.Duration {
	longest := time.Duration(0)
	for _, g := range n.groups.all() {
		longest = max(longest, n.retentionFor(g.term()))
	}
	return longest
}

// rotation returns what an owner with that retention is told of the rotation, and until when that is so if nothing changes:
// when the last address goes that an answer lacked.
func (n *name) rotation(retention time.Duration, at instant) (told Rotation, end instant) {
	if end = n.rare.rotated.plus(retention); end <= at {
		return Rotation{}, forever
	}
	for _, r := range n.rare.rotations {
		if r != nil && r.proven {
			told.Rotates = true
			told.Unseen += r.unseen
			told.Uncovered = max(told.Uncovered, r.uncovered(retention, n.view.book.options.MaxAddressesPerName))
		}
	}
	if !told.Rotates {
		return Rotation{}, forever
	}
	return told, end
}
