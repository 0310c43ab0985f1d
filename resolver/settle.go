// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"strings"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/dnsclient"
	"github.com/fqdn-egress/fqdn-egress/internal/dnsmsg"
)

// settle takes a result, unless its question is wanted no more, and puts the query back into the heap.
func (r *Resolver) settle(res result) {
	q := res.query
	q.lane.free(res.turn)
	if q.index == gone {
		return
	}
	other := q.otherFamily()
	r.learn(q, res, other)
	r.due.add(q)
	if other != nil && other.absence() != nil && other.index >= 0 { // otherwise its own answer is about to come
		r.due.remove(other)
		r.settleAbsence(other, q)
		r.due.add(other)
	}
}

// otherFamily is the query for the other family of the name at the same upstream; nil if that is not asked.
func (q *query) otherFamily() *query {
	for other := q.about.queries; other != nil; other = other.next {
		if other.lane == q.lane && other.family != q.family {
			return other
		}
	}
	return nil
}

// learn tells the book the meaning of a result, and q when it is due again.
func (r *Resolver) learn(q *query, res result, other *query) {
	switch {
	case res.err == nil && res.Unproven != nil:
		a := q.doubt(res)
		r.fail(q) // unless it is proven
		q.trouble.absence = a
		r.settleAbsence(q, other)
		if q.absence() != nil {
			res.err = a.Unproven
		}
	case res.err != nil:
		r.fail(q)
		r.noteFailure(q, res.answered, res.err)
	default:
		r.metrics.observeLag(q.refresh(), r.elapsed(res.answered))
		r.noteSuccess(q, res.Reading, res.sent, res.answered)
	}
	r.metrics.observe(res)
}

// fail has q asked again after a while.
func (r *Resolver) fail(q *query) {
	q.lane.good -= boolToInt(q.good)
	q.fail(r.elapsed(r.options.Clock.Now()), r.options.Rand())
}

// settleAbsence tells the book the meaning of q's absence, if that can be told by now.
func (r *Resolver) settleAbsence(q, other *query) {
	a := q.absence()
	switch q.weigh(other) {
	case open:
		if a.until == 0 && other.good {
			a.until = other.phase.end.to + ttlStep
		}
	case proven:
		r.noteSuccess(q, a.Reading, a.sent, a.answered)
	case refuted:
		if !a.told {
			a.told = true
			r.noteFailure(q, a.answered, a.Unproven)
		}
	}
}

// noteFailure tells the book of a failed question.
func (r *Resolver) noteFailure(q *query, answered time.Time, err error) {
	r.noteHealth(q, answered, err)
	r.book.Fail(q.key(), q.explanation(err), r.options.Clock.Now())
}

// noteSuccess tells the book of a good answer, and q when it is due again.
func (r *Resolver) noteSuccess(q *query, said dnsmsg.Reading, sent, answered time.Time) {
	r.noteHealth(q, answered, nil)
	good := answerOf(said.Answer)
	r.book.Record(q.key(), good, r.options.Clock.Now())
	before := q.phase.unlocked()
	q.lane.good += boolToInt(!q.good)
	q.answer(good, r.elapsed(sent), r.elapsed(answered), &r.options)
	q.path = q.about.path(said.Path[1:])
	r.noteUnlocked(q.lane, boolToInt(q.phase.unlocked())-boolToInt(before))
}

func (q *query) key() addressbook.Key {
	return addressbook.Key{View: q.about.cohort.view.name, Name: q.about.name, Family: q.family, Source: q.lane.source}
}

// explanation is the reason of a failure for the book. While failures of one kind follow each other it is the first one's: the
// owner of an answer about another name may change each time, and a status must not.
func (q *query) explanation(err error) string {
	if !strings.HasPrefix(q.trouble.reported, dnsclient.ReasonOf(err)) {
		q.trouble.reported = statusOf(err)
	}
	return q.trouble.reported
}

// trouble counts the failures of a query since its last good answer.
type trouble struct {
	failures int
	since    time.Duration // when the first of them was
	refresh  time.Duration // when that answer was to be refreshed; zero: there was none
	// reported is the reason that the book has of them.
	reported string
	// absence: the last answer is one, and is not settled.
	absence *absence
}

// failures counts those since the last good answer.
func (q *query) failures() int {
	if q.trouble == nil {
		return 0
	}
	return q.trouble.failures
}

// absence is that of the last answer, if it is one and is not settled.
func (q *query) absence() *absence {
	if q.trouble == nil {
		return nil
	}
	return q.trouble.absence
}

// refresh is when the last good answer is to be refreshed, or was; zero: there was none.
func (q *query) refresh() time.Duration {
	switch {
	case q.trouble != nil:
		return q.trouble.refresh
	case q.good:
		return q.due
	}
	return 0
}

// answer takes a good answer to a query that was sent and answered at these times. It sets due.
func (q *query) answer(a addressbook.Answer, sent, answered time.Duration, o *Options) {
	q.good, q.trouble = true, nil
	q.phase.observe(a, sent, answered)
	next := poll{phase: &q.phase, answered: answered, way: answered - sent, pause: o.MinTTL}.next()
	q.due = min(next, answered+o.MaxTTL)
}

// fail takes a failure. It sets due.
func (q *query) fail(now time.Duration, random float64) {
	if q.trouble == nil {
		q.trouble = &trouble{since: now, refresh: q.refresh()}
	}
	q.trouble.failures++
	q.trouble.absence = nil
	q.good = false
	q.due = now + backoff(q.trouble.failures, now-q.trouble.since, random)
}
