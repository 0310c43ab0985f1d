// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"iter"
	"net/netip"
	"slices"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// name is one exact name that somebody wants, and all that is known of it.
type name struct {
	called    fqdn.Name
	owners    []*owner
	adapted   time.Duration       // the retention that its rotation needs; 0: it does not rotate
	retention time.Duration       // the longest of the owners'
	questions []question          // sorted by question.compare
	rotations [families]*rotation // nil: no answer of the family differed from the one before it
	rotated   instant             // when the last address began to age that an answer lacked; never: none did

	answered [families]instant // the first good answer of each family from any source; never: none yet
	unrest   *unrest           // nil: nothing ever went back and forth
	joins    [families]bool    // the family was not asked when others of the name had spoken already
	limited  instant           // until when the answer lasts, or lasted, that brought too many addresses; never: none did
}

func newName(called fqdn.Name) *name {
	return &name{called: called, answered: [families]instant{never, never}, limited: never, rotated: never}
}

// question returns the question of k; nil if it has none yet.
func (n *name) question(k Key) *question {
	i, ok := slices.BinarySearchFunc(n.questions, k, question.compare)
	if !ok {
		return nil
	}
	return &n.questions[i]
}

// ask returns the question of k, which it makes if need be.
func (n *name) ask(k Key) *question {
	i, ok := slices.BinarySearchFunc(n.questions, k, question.compare)
	if !ok {
		if n.questions == nil {
			n.questions = make([]question, 0, families)
		}
		n.questions = slices.Insert(n.questions, i, newQuestion(k))
	}
	return &n.questions[i]
}

// repeats takes an answer that says what its question's last word said, if it is one: that moves its expiry only.
func (n *name) repeats(k Key, outcome Outcome, addrs []netip.Addr, capped bool, at, expires instant) bool {
	q := n.question(k)
	if q == nil || !q.repeats(outcome, addrs) || q.capped != capped || n.awaitsSuccessor(k.Family) {
		return false
	}
	q.good, q.expires = at, expires
	return true
}

// awaitsSuccessor tells whether addresses of a retired source do not age yet, for want of a good answer since.
func (n *name) awaitsSuccessor(f Family) bool {
	for i := range n.questions {
		if q := &n.questions[i]; q.family == f && q.retired != never && !q.ageing() {
			return true
		}
	}
	return false
}

// succeed lets the addresses of retired sources age, now that a source in service has given a good answer.
func (n *name) succeed(f Family, at instant) {
	for i := range n.questions {
		if q := &n.questions[i]; q.family == f && q.retired != never {
			n.age(q, at)
		}
	}
}

// age lets what q holds start to age.
func (n *name) age(q *question, at instant) {
	if !q.ageing() && n.sampled() {
		n.rotated = max(n.rotated, q.expires, q.retired, at)
	}
	q.age(at)
}

// fail enters a failure.
func (n *name) fail(k Key, reason string, at instant) {
	q := n.ask(k)
	_, t := n.unsettle(q)
	if q.silent() {
		q.retired = never // its family is asked again
	}
	told := q.failed || at < t.noted
	if !told || q.reason == reason || t.turns(at) {
		q.reason = reason
		t.hears(at)
	}
	if !q.failed {
		q.failed, t.since = true, at
	}
}

// inService tells whether s is asked about the name, as far as is known.
func (n *name) inService(s Source) bool {
	return slices.ContainsFunc(n.questions, func(q question) bool { return q.source == s && q.retired == never })
}

func (n *name) retire(s Source, at instant) {
	for i := range n.questions {
		if q := &n.questions[i]; q.source == s && q.retired == never {
			q.retired = at
		}
	}
}

// speaking returns the retirement of the sources whose last words make the state of a family: never, that is those in
// service, or else the last retirement, so that a name keeps its state while all its sources are retired.
func (n *name) speaking(f Family) (retirement instant) {
	retirement = never
	for i := range n.questions {
		q := &n.questions[i]
		if q.family != f || q.silent() {
			continue
		}
		if q.retired == never {
			return never
		}
		retirement = max(retirement, q.retired)
	}
	return retirement
}

// speakers are the questions whose last words make the state: see speaking.
func (n *name) speakers() iter.Seq[*question] {
	return func(yield func(*question) bool) {
		for f := range Family(families) {
			retirement := n.speaking(f)
			for i := range n.questions {
				if q := &n.questions[i]; q.family == f && !q.silent() && q.retired == retirement && !yield(q) {
					return
				}
			}
		}
	}
}

// answeredAt is when the last of the asked families got its first good answer; never: not yet.
func (n *name) answeredAt(asked [families]bool) instant {
	last := never
	for f, a := range n.answered {
		if !asked[f] {
			continue
		}
		if a == never {
			return never
		}
		last = max(last, a)
	}
	return last
}

// prune drops what no owner's Snapshot lists any more, and the questions of retired sources with nothing left, so that
// upstreams that come and go for months leave nothing behind.
func (b *Book) prune(n *name, at instant) {
	for i := range n.questions {
		q := &n.questions[i]
		q.holdings = slices.DeleteFunc(q.holdings, func(h holding) bool {
			return q.end(h, n.retention, b.options.MaxStale).plus(Linger) <= at
		})
	}
	n.dropRetired()
	n.calm(b.options.MaxRetention, at)
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
	n.questions = slices.DeleteFunc(n.questions, func(q question) bool {
		return q.retired != never && len(q.holdings) == 0 && (q.silent() || q.retired != speaking[q.family])
	})
}
