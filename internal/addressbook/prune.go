// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import "slices"

// prune drops what no owner's Snapshot lists any more, and the questions of retired sources with nothing left, so that
// upstreams that come and go for months leave nothing behind.
func (n *name) prune(at instant) {
	n.looked = max(n.looked, at)
	if at < n.pruneAt {
		return
	}
	before := n.heldAddresses()
	n.pruneAt = forever
	for i := range n.questions {
		n.pruneQuestion(&n.questions[i], at)
	}
	for f := range n.rare.overheard {
		n.pruneOverheard(Family(f), at)
	}
	if ms := n.rare.marks; len(ms) > 0 {
		n.rare.marks = slices.DeleteFunc(ms, func(m mark) bool {
			return n.prunable(m.until.plus(max(n.retention, ListedAfterUntil)), at)
		})
	}
	n.dropRetired()
	n.calm(at)
	if n.sampled() {
		n.prunable(n.rare.rotated.plus(n.retention), at)
		n.prunable(n.rare.rotated.plus(n.view.book.options.MaxRetention), at)
	}
	if n.heldAddresses() != before || n.rare.chargedUntil <= at {
		n.charge(n.united(), at)
	}
	n.prunesFrom(n.rare.chargedUntil)
}

// prunesFrom takes note that there may be something to prune from an instant on.
func (n *name) prunesFrom(at instant) { n.pruneAt = min(n.pruneAt, at) }

func (n *name) pruneQuestion(q *question, at instant) {
	maxStale, before := n.view.book.options.MaxStale, len(q.holdings)
	q.holdings = slices.DeleteFunc(q.holdings, func(h holding) bool {
		return n.prunable(q.end(&h, n.retention, maxStale).plus(ListedAfterUntil), at)
	})
	if len(q.holdings) != before {
		n.dropUnion(q.family)
	}
}

func (n *name) pruneOverheard(f Family, at instant) {
	heard := n.rare.overheard[f]
	if len(heard) == 0 {
		return
	}
	n.rare.overheard[f] = slices.DeleteFunc(heard, func(o overheard) bool {
		return n.prunable(o.end.plus(n.retention).plus(ListedAfterUntil), at)
	})
	if len(n.rare.overheard[f]) != len(heard) {
		n.dropUnion(f)
	}
}

// prunable tells whether something ended, and otherwise remembers to look again when it does.
func (n *name) prunable(end, at instant) bool {
	if end > at {
		n.prunesFrom(end)
		return false
	}
	return true
}

// heldAddresses counts the addresses of a name, twice what two questions hold.
func (n *name) heldAddresses() int {
	count := len(n.rare.overheard[IPv4]) + len(n.rare.overheard[IPv6])
	for i := range n.questions {
		count += len(n.questions[i].holdings)
	}
	return count
}

// dropRetired keeps the retired questions that still have a say in the state.
func (n *name) dropRetired() {
	if !slices.ContainsFunc(n.questions, func(q question) bool { return q.retired() != never }) {
		return
	}
	var speaking [families]instant
	for f := range speaking {
		speaking[f] = n.speaking(Family(f))
	}
	before := len(n.questions)
	n.questions = slices.DeleteFunc(n.questions, func(q question) bool {
		return q.retired() != never && len(q.holdings) == 0 && (q.silent() || q.retired() != speaking[q.family])
	})
	n.view.book.counts.questions.Add(int64(len(n.questions) - before))
}
