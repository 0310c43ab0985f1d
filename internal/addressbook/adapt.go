// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"net/netip"
	"time"
)

// sample takes a good answer to q, which it does not hold yet, as a sample of the pool that the name rotates through, if
// it is one: the repeat of an answer may be the same entry of a cache, and that of what another source holds the same
// entry of a cache that both ask. known is what the name had before it.
func (b *Book) sample(n *name, q *question, addrs []netip.Addr, known []union, at instant) {
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
	if r == nil {
		r = newRotation(known, q.family, b.options.MaxAddressesPerName, at)
		n.rotations[q.family] = r
	}
	n.rotated = max(n.rotated, q.expires, at)
	if !n.othersHold(q, addrs) {
		r.sample(addrs, known, b.options.MaxRetention, at)
	}
}

// othersHold tells whether the last good answer of another source in service held just addrs.
func (n *name) othersHold(q *question, addrs []netip.Addr) bool {
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
	}
}

// calm ends the rotation of a name whose last change is longer ago than any owner keeps addresses, and forgets what was
// captured when it is longer ago than longest.
func (n *name) calm(longest time.Duration, at instant) {
	if n.rotated.plus(n.retention) > at {
		return
	}
	for _, r := range n.rotations {
		r.rest()
	}
	if n.rotated.plus(longest) <= at {
		n.rotations = [families]*rotation{}
	}
	n.adapt(longest)
}

// sampled tells whether the name has samples of a pool.
func (n *name) sampled() bool { return n.rotations != [families]*rotation{} }

// retentionAt is how long addresses are kept for owners of that term: as long as the rotation needs until the last address
// went that an answer lacked.
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
	for _, w := range n.owners {
		longest = max(longest, n.retentionFor(w.term))
	}
	return longest
}

// rotation returns what an owner with that retention is told of the rotation, under a limit of addresses, and until when
// that is so if nothing changes: when the last address goes that an answer lacked.
func (n *name) rotation(retention time.Duration, limit int, at instant) (told Rotation, end instant) {
	if end = n.rotated.plus(retention); end <= at {
		return Rotation{}, forever
	}
	for _, r := range n.rotations {
		if r != nil && r.proven {
			told.Rotates = true
			told.Unseen += r.unseen
			told.Uncovered = max(told.Uncovered, r.uncovered(retention, limit))
		}
	}
	if !told.Rotates {
		return Rotation{}, forever
	}
	return told, end
}
