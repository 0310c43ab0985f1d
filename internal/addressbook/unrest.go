// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import "time"

// A message that flips with every answer would be a write each time. So a first flip is told as what it is, and a second one soon
// after as "goes back and forth"; that stays until nothing flipped for calmAfter:
//
//	answers of one upstream   message or state
//	addresses, none           NotFound, if no other upstream has addresses
//	addresses, none, again    "the answers disagree", until no answer changed so for calmAfter
//	answers, fails            Stale, if no other upstream answers
//	answers, fails, twice     "the upstreams fail at times", until none did so for calmAfter
//	fails for lasting         "timeout from ... while others answer", until it answered for calmAfter
//	SERVFAIL, then timeouts   SERVFAIL for reasonKept, then timeout
//	SERVFAIL, timeout, again  the one that is told, until it has not come for calmAfter
//
// Meanwhile the state is the better one of the two as long as addresses are kept.
const (
	// calmAfter is how long nothing must change back for it to have ended. Where an answer lasts for minutes that says
	// little, so it is at least calmTTLs times its TTL.
	calmAfter = 10 * time.Minute
	calmTTLs  = 4
	// lasting is how long an upstream must fail while others answer for a person to be told.
	lasting = time.Minute
	// reasonKept is how long another reason of a failure must come alone to be told, if the two did not alternate of late.
	reasonKept = 20 * time.Second
)

// calmFor is how long an answer with that TTL must stay the same to count as the last change.
func calmFor(ttl time.Duration) time.Duration { return max(calmAfter, calmTTLs*ttl) }

// unrest is what goes back and forth in the answers to a name. The zero instant is never.
type unrest struct {
	disagree instant // until when answers with and without addresses are told of
	mixed    instant // until when NXDOMAIN and NODATA are
	capped   instant // until when a TTL that was too long is told of after it came last
	outages  [families]outage
}

// outage is about the times when no source answered a family well.
type outage struct {
	up    instant // when the last one ended
	again instant // until when another one comes soon after it
	until instant // until when it is told that they come and go
}

// trouble is what most questions have not: that their source was retired, and what goes back and forth in what it says.
type trouble struct {
	retired instant // see question.retired

	reason string  // of its failures, that is told
	heard  instant // when the reason of its failures that is told came last
	other  instant // since when only another reason has come; never: the last one was the one that is told
	mixed  instant // until when the two count as alternating
	since  instant // when the first failure after its last good answer came
	noted  instant // until when a failure that lasted is told of
	flip   instant // until when a change between addresses and none comes soon after another one
	kind   instant // the same of NXDOMAIN and NODATA
}

func newUnrest() *unrest {
	o := outage{up: never, again: never, until: never}
	return &unrest{disagree: never, mixed: never, capped: never, outages: [families]outage{o, o}}
}

func newTrouble() *trouble {
	return &trouble{retired: never, heard: never, other: never, mixed: never, since: never, noted: never, flip: never, kind: never}
}

// unsettle returns what is restless in a name and a question of it, made if need be.
func (n *name) unsettle(q *question) (*unrest, *trouble) {
	if n.rare.unrest == nil {
		n.change().unrest = newUnrest()
	}
	if q.trouble == nil {
		q.trouble = newTrouble()
	}
	return n.rare.unrest, q.trouble
}

// compare takes note of how a good answer to q differs from the good one before it.
func (n *name) compare(q *question, outcome Outcome, at, expires instant) {
	if q.good == never || q.outcome == outcome {
		return
	}
	u, t := n.unsettle(q)
	calm := at.plus(calmFor(max(time.Duration(q.expires-q.good), time.Duration(expires-at))))
	soon, told := &t.flip, &u.disagree
	if q.outcome != Good && outcome != Good {
		soon, told = &t.kind, &u.mixed
	}
	if at < *soon {
		*told = max(*told, calm)
	}
	*soon = calm
}

// recover takes note that q, which failed, has a good answer again.
func (n *name) recover(q *question, at, expires instant) {
	if !q.failed {
		return
	}
	_, t := n.unsettle(q)
	if t.since < t.noted || n.lasts(q, at) {
		t.noted = at.plus(calmFor(time.Duration(expires - at)))
	}
	t.since = never
}

// hears takes note that the reason that is told came. After another one that is an alternation.
func (t *trouble) hears(at instant) {
	if t.other != never {
		t.mixed = at.plus(calmAfter)
	}
	t.heard, t.other = at, never
}

// turns takes note that another reason came, and tells whether it is the one to be told from now on.
func (t *trouble) turns(at instant) bool {
	if t.other == never {
		t.other = at
	}
	if at < t.mixed {
		return t.heard.plus(calmAfter) <= at
	}
	return t.other.plus(reasonKept) <= at
}

// lasts tells whether q has failed for long while others answered.
func (n *name) lasts(q *question, at instant) bool {
	return n.lastsFrom(q) <= at && !n.down()[q.family]
}

// lastsFrom is when q, which fails, will have failed for long.
func (n *name) lastsFrom(q *question) instant {
	return max(q.trouble.since, n.rare.unrest.outages[q.family].up).plus(lasting)
}

// noted tells whether a person is told that q fails although others answer, or did until a while ago.
func (n *name) noted(q *question, at instant) bool {
	if q.trouble == nil {
		return false
	}
	return at < q.trouble.noted || q.failed && (q.trouble.since < q.trouble.noted || n.lastsFrom(q) <= at)
}

// down are the families that sources speak for, and none well.
func (n *name) down() (down [families]bool) {
	if n.rare.unrest == nil {
		return down // none of its sources ever failed
	}
	var well [families]bool
	for q := range n.speakers() {
		down[q.family] = true
		well[q.family] = well[q.family] || !q.failed
	}
	for f := range down {
		down[f] = down[f] && !well[f]
	}
	return down
}

// settleFamilies ends a change: it takes note of families that went down by it or got up, and drops questions that have no say
// any more.
func (n *name) settleFamilies(downBefore [families]bool, at instant) {
	n.noteOutages(downBefore, at)
	n.dropRetired()
}

// noteOutages takes note of families that went down, or were down before and are no more.
func (n *name) noteOutages(before [families]bool, at instant) {
	for f, down := range n.down() {
		if down == before[f] {
			continue
		}
		if n.rare.unrest == nil {
			n.change().unrest = newUnrest()
		}
		o := &n.rare.unrest.outages[f]
		if down {
			if at < o.again {
				o.until = at.plus(calmAfter)
			}
			continue
		}
		o.up, o.again = at, at.plus(calmFor(n.longestTTL(Family(f))))
		if at < o.until {
			o.until = o.again
		}
	}
}

// longestTTL is that of the last answers of the sources that answer a family.
func (n *name) longestTTL(f Family) time.Duration {
	longest := time.Duration(0)
	for q := range n.speakers() {
		if q.family == f && !q.failed {
			longest = max(longest, time.Duration(q.expires-q.good))
		}
	}
	return longest
}

// turns are the instants at which what is told may change although nobody says anything.
func (n *name) turns() []instant {
	if n.rare.unrest == nil {
		return nil
	}
	turns := []instant{n.rare.unrest.disagree, n.rare.unrest.mixed, n.rare.unrest.capped}
	for _, o := range n.rare.unrest.outages {
		turns = append(turns, o.until)
	}
	for i := range n.questions {
		if q := &n.questions[i]; q.trouble != nil {
			turns = append(turns, q.trouble.noted)
			if q.failed {
				turns = append(turns, n.lastsFrom(q))
			}
		}
	}
	return turns
}

// cap takes note of whether the TTL of an answer is longer than what counts.
func (n *name) cap(q *question, capped bool, at instant) {
	if q.capped && !capped {
		u, _ := n.unsettle(q)
		u.capped = at.plus(calmAfter)
	}
	q.capped = capped
}
