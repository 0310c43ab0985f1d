// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unique"
)

// question is what one source said about one family of one name. There are few of a name, so they lie in a slice.
type question struct {
	source unique.Handle[Source] // half of a Source: a few servers answer for 60,000 names
	family Family

	failed  bool // the last word is a failure
	capped  bool // the TTL of the last good answer was longer than what counts
	outcome Outcome
	good    instant  // when the last good answer came; never: none did
	expires instant  // when that answer expires
	trouble *trouble // nil: it never failed, was never retired, nor had it addresses at one time and none at another

	// holdings are sorted by address.
	holdings []holding
}

// holding is one address that a question keeps.
type holding struct {
	ip ip
	// from is where retention starts: the later of the expiry of the last answer that held the address and the first
	// good answer without it. never: the last good answer holds it.
	from instant
	// seen is when the last answer that held it came; while from is never, the question's good stands for it, so
	// that the repeat of an answer touches no holding.
	seen instant
}

func (h *holding) current() bool { return h.from == never }

func newQuestion(k Key) question {
	return question{source: unique.Make(k.Source), family: k.Family, good: never, expires: never}
}

// compare orders questions by family, then source.
func (q question) compare(k Key) int {
	return cmp.Or(cmp.Compare(q.family, k.Family), strings.Compare(string(q.source.Value()), string(k.Source)))
}

// retired is since when the source is asked no more; never: it is in service.
func (q *question) retired() instant {
	if q.trouble == nil {
		return never
	}
	return q.trouble.retired
}

// retire takes note of since when the source is asked no more.
func (q *question) retire(at instant) {
	if q.retired() == at {
		return
	}
	if q.trouble == nil {
		q.trouble = newTrouble()
	}
	q.trouble.retired = at
}

// live tells whether the source is in service and its last word is good: what it holds stays.
func (q *question) live() bool { return q.retired() == never && !q.failed && q.good != never }

// silent tells whether nothing that the question said counts, because its family is not asked any more.
func (q *question) silent() bool { return !q.failed && q.good == never }

// repeats tells whether a good answer says what the question's last word said.
func (q *question) repeats(a answer) bool {
	return q.live() && q.outcome == a.outcome && q.capped == a.capped && q.holds(a.addrs)
}

// holds tells whether the last good answer held just addrs, which are sorted.
func (q *question) holds(addrs []ip) bool {
	j := 0
	for i := range q.holdings {
		h := &q.holdings[i]
		if !h.current() {
			continue
		}
		if j == len(addrs) || h.ip != addrs[j] {
			return false
		}
		j++
	}
	return j == len(addrs)
}

// replace makes addrs (sorted, distinct) the current holdings at the instant of an answer; those that it lacks start
// to age.
func (q *question) replace(addrs []ip, at instant) {
	j, missing := 0, 0
	for i := range q.holdings {
		h := &q.holdings[i]
		for j < len(addrs) && addrs[j].less(h.ip) {
			j, missing = j+1, missing+1
		}
		switch {
		case j < len(addrs) && addrs[j] == h.ip:
			h.from = never
			j++
		case h.current():
			h.from, h.seen = max(q.expires, at), q.good
		}
	}
	q.holdings = insertMissing(q.holdings, func(h *holding) ip { return h.ip }, addrs, missing+len(addrs)-j,
		func(a ip) holding { return holding{ip: a, from: never} })
}

// has tells whether the question keeps an address, current or retained.
func (q *question) has(addr ip) bool {
	_, ok := slices.BinarySearchFunc(q.holdings, addr, func(h holding, a ip) int { return h.ip.compare(a) })
	return ok
}

// age lets all current holdings start to age: another source has taken over from this one, which is retired, or the family
// is not asked any more.
func (q *question) age(at instant) {
	for i := range q.holdings {
		if h := &q.holdings[i]; h.current() {
			h.from, h.seen = max(q.expires, q.retired(), at), q.good
		}
	}
}

// ageing tells whether no holding is current.
func (q *question) ageing() bool {
	return !slices.ContainsFunc(q.holdings, func(h holding) bool { return h.current() })
}

// seen is when the last answer with h came.
func (q *question) seen(h *holding) instant {
	if h.current() {
		return q.good
	}
	return h.seen
}

// end is when h goes under a retention, if nothing changes.
func (q *question) end(h *holding, retention, maxStale time.Duration) instant {
	switch {
	case !h.current():
		return h.from.plus(retention)
	case q.live():
		return forever
	}
	return q.expires.plus(maxStale)
}

// question returns the question of k; nil if it has none yet.
func (n *name) question(k Key) *question {
	i, ok := slices.BinarySearchFunc(n.questions, k, question.compare)
	if !ok {
		return nil
	}
	return &n.questions[i]
}

// ensureQuestion returns the question of k, which it makes if need be.
func (n *name) ensureQuestion(k Key) *question {
	i, ok := slices.BinarySearchFunc(n.questions, k, question.compare)
	if !ok {
		if n.questions == nil {
			n.questions = make([]question, 0, families)
		}
		n.questions = slices.Insert(n.questions, i, newQuestion(k))
		n.view.book.counts.questions.Add(1)
	}
	return &n.questions[i]
}

// awaitsSuccessor tells whether addresses of a retired source do not age yet, for want of a good answer since.
func (n *name) awaitsSuccessor(f Family) bool {
	for i := range n.questions {
		if q := &n.questions[i]; q.family == f && q.retired() != never && !q.ageing() {
			return true
		}
	}
	return false
}

// ageRetired lets the addresses of retired sources age, now that a source in service has given a good answer.
func (n *name) ageRetired(f Family, at instant) {
	for i := range n.questions {
		if q := &n.questions[i]; q.family == f && q.retired() != never {
			n.age(q, at)
		}
	}
}

// age lets what q holds start to age.
func (n *name) age(q *question, at instant) {
	if !q.ageing() && n.sampled() {
		n.change().rotated = max(n.rare.rotated, q.expires, q.retired(), at)
	}
	q.age(at)
}

// inService tells whether s is asked about the name, as far as is known.
func (n *name) inService(s Source) bool {
	return slices.ContainsFunc(n.questions, func(q question) bool { return q.source.Value() == s && q.retired() == never })
}
