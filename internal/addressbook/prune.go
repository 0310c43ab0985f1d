// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import "slices"

// prune drops what no owner's Snapshot lists any more, and the questions of retired sources with nothing left, so that
// upstreams that come and go for months leave nothing behind.
func (n *name) prune(at instant) {
	if at < n.pruneAt {
		return
	}
	before := n.heldAddresses()
	n.pruneAt = forever
	for i := range n.questions {
		n.pruneQuestion(&n.questions[i], at)
	}
	n.overheard = slices.DeleteFunc(n.overheard, func(o overheard) bool {
		return n.prunable(o.end.plus(n.retention).plus(ListedAfterUntil), at)
	})
	n.marks = slices.DeleteFunc(n.marks, func(m mark) bool {
		return n.prunable(m.until.plus(max(n.retention, ListedAfterUntil)), at)
	})
	n.dropRetired()
	n.calm(at)
	if n.sampled() {
		n.prunable(n.rotated.plus(n.retention), at)
		n.prunable(n.rotated.plus(n.book.options.MaxRetention), at)
	}
	if n.heldAddresses() != before {
		n.union = nil
		n.united()
	}
}

func (n *name) pruneQuestion(q *question, at instant) {
	maxStale := n.book.options.MaxStale
	q.holdings = slices.DeleteFunc(q.holdings, func(h holding) bool {
		return n.prunable(q.end(h, n.retention, maxStale).plus(ListedAfterUntil), at)
	})
}

// prunable tells whether something ended, and otherwise remembers to look again when it does.
func (n *name) prunable(end, at instant) bool {
	if end > at {
		n.pruneAt = min(n.pruneAt, end)
		return false
	}
	return true
}

// heldAddresses counts the addresses of a name, twice what two questions hold.
func (n *name) heldAddresses() int {
	count := len(n.overheard)
	for i := range n.questions {
		count += len(n.questions[i].holdings)
	}
	return count
}

// dropRetired keeps the retired questions that still have a say in the state.
func (n *name) dropRetired() {
	if !slices.ContainsFunc(n.questions, func(q question) bool { return q.retired != never }) {
		return
	}
	var speaking [families]instant
	for f := range speaking {
		speaking[f] = n.speaking(Family(f))
	}
	before := len(n.questions)
	n.questions = slices.DeleteFunc(n.questions, func(q question) bool {
		return q.retired != never && len(q.holdings) == 0 && (q.silent() || q.retired != speaking[q.family])
	})
	n.book.counts.questions.Add(int64(len(n.questions) - before))
}
