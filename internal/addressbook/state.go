// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"fmt"
	"iter"
	"slices"
	"time"
)

// standing is where one family of a name stands, for one retention.
type standing struct {
	asked   bool // the Book takes answers of the family
	joins   bool // it does so since later than others had spoken
	spoken  bool // some source answered or failed
	well    bool // some source's last word is good
	kept    int  // addresses whose Until has not passed
	current bool // one of these is current
	shaky   bool // no source answers well at times
	capped  bool // some source's TTL is longer than what counts
}

// settle reads a family that goes back and forth as what it is at its best.
func (s *standing) settle(shaky, disagrees bool) {
	s.shaky = shaky && s.spoken
	s.well = s.well || s.shaky
	s.current = s.current || s.kept > 0 && s.well && (s.shaky || disagrees)
}

func (s standing) pending() bool { return s.asked && !s.spoken && !s.joins }
func (s standing) untried() bool { return s.asked && !s.spoken }
func (s standing) failing() bool { return s.spoken && !s.well }

// stateOf returns the state of a name and the message that goes with it. See the States for the order.
func (n *name) stateOf(ss [families]standing, at instant) (State, string) {
	if !n.exact() {
		return poolState(ss)
	}
	failures, unsteady := n.failures(ss, at), n.unsteady(ss, at)
	switch {
	case anyFamily(ss, standing.pending):
		return Pending, pendingMessage(ss, failures)
	case anyFamily(ss, func(s standing) bool { return s.failing() && s.kept > 0 }):
		return Stale, append(failures, unsteady...).keeping(keptBy(ss, standing.failing))
	case anyFamily(ss, func(s standing) bool { return s.well && s.current }):
		return Resolved, append(unsteady, failures...).String()
	case anyFamily(ss, standing.failing):
		return Failing, append(failures, unsteady...).keeping(keptBy(ss, anything))
	}
	said := append(append(n.absences(at), failures...), unsteady...)
	return NotFound, said.keeping(keptBy(ss, anything)) + n.hint(at)
}

// poolState is the state of a wildcard: only what was overheard speaks for it.
func poolState(ss [families]standing) (State, string) {
	if keptBy(ss, anything) > 0 {
		return Resolved, ""
	}
	return Pending, unobserved
}

// standings looks at the families of a name, and tells when its addresses change by themselves. What was overheard has no
// say in the state of an exact name, and nothing else has one in that of a wildcard.
func (n *name) standings(us unions, retention time.Duration, at instant) (ss [families]standing, next instant) {
	for f := range ss {
		ss[f].asked, ss[f].joins = n.asked[f], n.joins[f]
	}
	for q := range n.speakers() {
		s := &ss[q.family]
		s.spoken = true
		s.well = s.well || !q.failed
		s.capped = s.capped || q.capped
	}
	if !anyFamily(ss, func(s standing) bool { return s.spoken }) {
		for f := range ss {
			ss[f].joins = false // there is no state that it could leave alone
		}
	}
	next = forever
	for f := range us {
		next = min(next, ss[f].tally(us[f], retention, n.exact(), at))
		ss[f].settle(n.shaky(Family(f), at), n.disagrees(at))
	}
	return ss, next
}

// tally counts the addresses whose Until has not passed, and returns when the first of them goes or stops being current.
func (s *standing) tally(us []union, retention time.Duration, exact bool, at instant) (next instant) {
	next = forever
	for i := range us {
		u := &us[i]
		if u.stays {
			s.kept++
			s.current = true
			continue
		}
		says, current := max(u.bound, u.from.plus(retention)), u.bound
		goes := says
		if u.heard != never {
			goes = max(says, u.heard.plus(retention))
			next = min(next, after(at, u.heard), after(at, goes))
		}
		if !exact {
			says, current = goes, u.heard
		}
		next = min(next, after(at, u.bound), after(at, says))
		if says > at {
			s.kept++
			s.current = s.current || current > at
		}
	}
	return next
}

// after is an instant that is yet to come; forever: it passed.
func after(at, turn instant) instant {
	if turn > at {
		return turn
	}
	return forever
}

func anyFamily(ss [families]standing, is func(standing) bool) bool {
	for _, s := range ss {
		if is(s) {
			return true
		}
	}
	return false
}

func anything(standing) bool { return true }

// keptBy counts the addresses that are kept in such families.
func keptBy(ss [families]standing, such func(standing) bool) int {
	kept := 0
	for _, s := range ss {
		if such(s) {
			kept += s.kept
		}
	}
	return kept
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
		if q.retired() == never {
			return never
		}
		retirement = max(retirement, q.retired())
	}
	return retirement
}

// speakers are the questions whose last words make the state: see speaking.
func (n *name) speakers() iter.Seq[*question] {
	return func(yield func(*question) bool) {
		for f := range Family(families) {
			retirement := n.speaking(f)
			for i := range n.questions {
				if q := &n.questions[i]; q.family == f && !q.silent() && q.retired() == retirement && !yield(q) {
					return
				}
			}
		}
	}
}

// shaky tells whether the outages of a family come and go.
func (n *name) shaky(f Family, at instant) bool {
	return n.rare.unrest != nil && at < n.rare.unrest.outages[f].until
}

func (n *name) disagrees(at instant) bool { return n.rare.unrest != nil && at < n.rare.unrest.disagree }

func (n *name) mixes(at instant) bool { return n.rare.unrest != nil && at < n.rare.unrest.mixed }

// failures says which sources fail, in what, and whether others answer.
func (n *name) failures(ss [families]standing, at instant) clauses {
	if n.rare.unrest == nil {
		return nil // none of its sources ever failed
	}
	const beside = " while others answer"
	found := n.findings(func(q *question) (what, suffix string) {
		switch s := ss[q.family]; {
		case s.shaky:
			return "", ""
		case s.well && n.noted(q, at):
			return q.failure(), beside
		case s.well || !q.failed:
			return "", ""
		}
		return q.failure(), ""
	})
	var fs clauses
	for _, f := range found {
		if f.suffix == beside {
			fs = append(fs, fmt.Sprintf("%s from %s%s", f.what, f.source, beside)) // whatever the types, so that it is said once
		} else {
			fs = append(fs, fmt.Sprintf("%s for %s from %s", f.what, typeNames(f.types, " and "), f.source))
		}
	}
	slices.Sort(fs)
	return slices.Compact(fs)
}

// failure is the reason of a question whose last word, or the one before, is a failure.
func (q *question) failure() string {
	if q.trouble.reason == "" {
		return "failure"
	}
	return q.trouble.reason
}

// unsteady says what goes back and forth, and which TTLs are not believed.
func (n *name) unsteady(ss [families]standing, at instant) clauses {
	var fs clauses
	if n.disagrees(at) {
		fs = append(fs, atOdds)
	}
	if anyFamily(ss, func(s standing) bool { return s.shaky }) {
		fs = append(fs, unreliable)
	}
	if anyFamily(ss, func(s standing) bool { return s.capped }) || n.rare.unrest != nil && at < n.rare.unrest.capped {
		fs = append(fs, fmt.Sprintf("an answer has a TTL of more than %s, and counts for that time only", n.view.book.options.MaxStale))
	}
	return fs
}
