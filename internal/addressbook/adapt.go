// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import "time"

// sample feeds an answer to q that differs from the last one to the family's rotation; known is what the name had of the family
// before it. Two differing answers are no samples: one equal to the question's last answer may be the same entry of a cache, and
// one equal to another source's may come from a cache behind both. To count them would make the pool look smaller than it
// is.
func (n *name) sample(q *question, addrs []ip, known []union, at instant) {
	r := n.rotations[q.family]
	if q.holds(addrs) {
		return
	}
	if n.sampled() {
		n.rotated = max(n.rotated, q.expires, at)
	}
	if len(addrs) == 0 || r == nil && q.good == never {
		return
	}
	o := &n.book.options
	if r == nil {
		r = newRotation(known, &n.book.counts.captures, at)
		n.rotations[q.family] = r
	}
	n.rotated = max(n.rotated, q.expires, at)
	if !n.othersHold(q, addrs) {
		s := n.book.takeScratch()
		r.sample(addrs, known, o.MaxRetention, n.captureLimit(r), s, at)
		n.book.putScratch(s)
	}
	n.countCaptures()
}

// captureLimit is how many captures a rotation may have: as many as a name may have addresses, but none more than now once all
// tenants that list the name have as many as they may, or the process has. Rotations that began earlier forget their oldest for
// their newest; what was concluded stays.
//
//	of 100 captures a tenant may have 25  and a rotation of its name
//	it has 20, all have 60                may have 5 more
//	it has 25                             no more
//	it has 20, all have 80                no more, but where 20 are less than an equal part of the last fifth
func (n *name) captureLimit(r *rotation) int {
	n.countCaptures()
	o, room := &n.book.options, 0
	for i := range n.shares {
		s := &n.shares[i]
		has := s.tenant.captures.Load() + int64(n.captured-s.captures)
		room = max(room, min(o.maxCaptures()-int(has), n.book.room(o.MaxAddresses, n.book.counts.captures.Load(), has)))
		if room >= o.MaxAddressesPerName {
			break
		}
	}
	return min(o.MaxAddressesPerName, len(r.captures.list)+room)
}

// countCaptures counts what the rotations remember, for the shares.
func (n *name) countCaptures() {
	captured := int32(0)
	for _, r := range n.rotations {
		if r != nil {
			captured += int32(len(r.captures.list))
		}
	}
	n.billed = n.billed || captured != n.captured
	n.captured = captured
}

// othersHold tells whether the last good answer of another source in service held just addrs.
func (n *name) othersHold(q *question, addrs []ip) bool {
	for i := range n.questions {
		if o := &n.questions[i]; o != q && o.family == q.family && o.live() && o.holds(addrs) {
			return true
		}
	}
	return false
}

// adapt takes over the retention that the rotation needs, at most longest.
func (n *name) adapt(longest time.Duration) {
	adapted := time.Duration(0)
	for _, r := range n.rotations {
		adapted = max(adapted, r.retention(longest))
	}
	if adapted != n.adapted {
		n.adapted = adapted
		n.retention = n.longestRetention()
		n.prunesFrom(never)
	}
}

// calm ends the rotation of a name when its last change is older than the longest retention of its owners, and forgets the captures
// when it is older than MaxRetention. No Snapshot changes by that: each owner was shown the end at its own retention already, and
// Next named it.
func (n *name) calm(at instant) {
	if n.rotated.plus(n.retention) > at {
		return
	}
	for _, r := range n.rotations {
		r.rest()
	}
	longest := n.book.options.MaxRetention
	if n.rotated.plus(longest) <= at {
		n.forgetRotations()
	}
	n.adapt(longest)
}

func (n *name) forgetRotations() {
	for _, r := range n.rotations {
		r.drop()
	}
	n.rotations = [families]*rotation{}
	n.countCaptures()
}

// sampled tells whether the name has samples of a pool.
func (n *name) sampled() bool { return n.rotations != [families]*rotation{} }

// retentionAt is how long addresses are kept for owners of that term. While the name rotates, and for that long after its last
// change, it is what the rotation needs; then it is the owner's own retention.
func (n *name) retentionAt(t term, at instant) time.Duration {
	if kept := n.retentionFor(t); n.rotated.plus(kept) > at {
		return kept
	}
	return t.retention
}

// retentionFor is how long addresses are kept for owners of that term while the name rotates.
func (n *name) retentionFor(t term) time.Duration {
	if t.adaptive {
		return max(t.retention, n.adapted)
	}
	return t.retention
}

func (n *name) longestRetention() time.Duration {
	longest := time.Duration(0)
	for _, g := range n.groups {
		longest = max(longest, n.retentionFor(g.term))
	}
	return longest
}

// rotation returns what an owner with that retention is told of the rotation, and until when that is so if nothing changes:
// when the last address goes that an answer lacked.
func (n *name) rotation(retention time.Duration, at instant) (told Rotation, end instant) {
	if end = n.rotated.plus(retention); end <= at {
		return Rotation{}, forever
	}
	for _, r := range n.rotations {
		if r != nil && r.proven {
			told.Rotates = true
			told.Unseen += r.unseen
			told.Uncovered = max(told.Uncovered, r.uncovered(retention, n.book.options.MaxAddressesPerName))
		}
	}
	if !told.Rotates {
		return Rotation{}, forever
	}
	return told, end
}
