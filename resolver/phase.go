// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"net/netip"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

// phase estimates when the entry ends that a cache has for a question. The question can be asked again right then (see poll): the
// answer is the one that pods are told next, and they are told it from that moment on.
//
// Caches hand out whole seconds, rounded up, so one answer tells the end to a second. Each further one that is asked at another
// fraction of a second tells it more closely:
//
//	asked   TTL   so the end is in   width
//	10.00    5    (14.00, 15.00]     1 s
//	11.50    3    (14.00, 14.50]     500 ms; TTL 4 would mean (14.50, 15.00]
//	13.25    1    (14.00, 14.25]     250 ms
//	14.25    5    (19.00, 19.25]     the next entry began where this one ended
//
// An answer is of one of five kinds, by the entry of the answer before it:
//
//	asked             its TTL                   so it is              the end is then
//	-                 any, the first answer     a beginning           where the TTL puts it
//	before the end    fits                      again that entry      where both answers allow it
//	before the end    excludes that end         a misfit              where the TTL puts it; three in a row: unlocked, if it rotates
//	after the end     1 or 0, it began higher   overdue               where the TTL puts it; at most nine in a row
//	after the end     any other                 the next entry        no sooner than the old end and the TTL
//
// Addresses that differ from the last answer's mean that the question rotates; sixteen entries that do not that it is steady.
//
// Times count from the Resolver's epoch, see Resolver.elapsed.
type phase struct {
	end   interval      // of the entry of the last answer; zero: there was none
	ttl   time.Duration // of the first answer from that entry
	addrs digest        // of the last answer
	// toZero: the upstream hands an entry out with no second left too, for one more second, as CoreDNS with serve_stale does.
	toZero bool
	// blind: it hands out the full TTL again and again, so that nothing tells of the end.
	blind bool

	// restless is for how many more entries the addresses must stay for the question to rotate no more; zero: it does not.
	restless uint8

	// confirmed: a second answer from that entry. Two clients that missed the one before together are each told a set of
	// their own, and the cache keeps what came last: then the first answer is nobody else's, and the end a little later.
	confirmed bool
	// overdue answers in a row came from the entry although it should have ended.
	overdue uint8

	// inferred: end.from follows from the end of the entry before, and no answer has shown yet that this one does not end
	// sooner. unproven counts such entries in a row, up to provenEntries; misfits those that did, up to maxMisfits.
	inferred          bool
	unproven, misfits uint8
}

const (
	// ttlStep is the unit in which caches count down.
	ttlStep = time.Second
	// steadyEntries is for how many entries in a row the addresses must stay for a question to rotate no more.
	steadyEntries = 16
	// provenEntries is how many ends in a row are inferred from the entry before, until one is put to the proof.
	provenEntries = 8
	// maxMisfits in a row are how an upstream is: it hands out the full TTL, renews ahead of time, or is several behind
	// one address. One comes with each flush of a cache, and with each miss that two clients share.
	maxMisfits = 3
	// maxOverdue answers may be overdue. The pauses between them (4, 8 ... 512 ms) add up to 1.02 s, more than a ttlStep.
	// The answer after that is from a new, short entry.
	maxOverdue = 9
)

// observe takes a good answer to a question that was sent and answered at these times.
func (p *phase) observe(a addressbook.Answer, sent, answered time.Duration) {
	known := p.end.to != 0
	if a.TTL == 0 && p.ttl > ttlStep && !p.toZero {
		p.toZero, p.end = true, interval{from: p.end.from + ttlStep, to: p.end.to + ttlStep}
	}
	said := p.endBy(a.TTL, sent, answered)
	both, excluded := p.end.and(said)
	switch {
	case !known:
		p.end = said
	case sent < p.end.to && !excluded:
		p.again(a, said)
		p.end = both
		return
	case p.isOverdue(a.TTL, sent):
		p.end = said
		p.overdue++
		p.compare(a.Addrs, false)
		return
	case answered < p.end.from:
		p.misfit(a, said)
	default:
		p.entry(a.TTL, sent, answered)
	}
	p.ttl, p.confirmed, p.overdue = a.TTL, false, 0
	p.compare(a.Addrs, known)
}

// endBy is when the entry of an answer with that TTL ends, which was asked for and came at these times, by that TTL alone.
func (p *phase) endBy(ttl, sent, answered time.Duration) interval {
	life := p.life(ttl)
	return interval{from: sent + max(life, ttlStep) - ttlStep, to: answered + life}
}

// life is how long an entry lasts at most that has that TTL left.
func (p *phase) life(ttl time.Duration) time.Duration {
	if p.toZero {
		return ttl + ttlStep
	}
	return ttl
}

// isOverdue tells the last second of an entry that began with more, when the next should have begun.
func (p *phase) isOverdue(ttl, sent time.Duration) bool {
	return ttl <= ttlStep && p.ttl > ttlStep && sent >= p.end.to && p.overdue < maxOverdue
}

// again takes a further answer from the entry of the last one.
func (p *phase) again(a addressbook.Answer, said interval) {
	if p.inferred && a.TTL <= 2*ttlStep && said.to > p.end.to+ttlStep/2 { // it lives until shortly before the end
		p.inferred, p.unproven, p.misfits = false, 0, 0
	}
	p.confirmed = true
	p.blind = p.blind && a.TTL == p.ttl
	if p.overdue > 0 && p.overdue < maxOverdue {
		p.overdue++
	}
	p.compare(a.Addrs, false)
}

// misfit takes an answer that cannot be from the entry of the last one, which should not have ended.
func (p *phase) misfit(a addressbook.Answer, said interval) {
	p.blind = p.blind || a.TTL == p.ttl && p.addrs == digestOf(a.Addrs)
	p.end, p.inferred = said, false
	p.misfits = min(p.misfits+1, maxMisfits)
}

// entry begins the next one, as the last had ended: no sooner than that. One that begins with less is suspect, and may have
// begun a second before, behind a cache that does not count to zero any more.
func (p *phase) entry(ttl, sent, answered time.Duration) {
	p.unproven = min(p.unproven+1, provenEntries)
	if ttl < p.ttl {
		p.unproven, p.toZero = provenEntries, false
	}
	said := p.endBy(ttl, sent, answered)
	from := max(said.from, p.end.from+p.life(ttl))
	p.end, p.inferred = interval{from: from, to: said.to}, from > said.from
}

// compare notes whether addresses changed. They do within an entry too, if two clients missed the one before together: the
// cache keeps what came last.
func (p *phase) compare(list []netip.Addr, renewed bool) {
	addrs := digestOf(list)
	switch {
	case p.addrs != noAddrs && p.addrs != addrs:
		p.restless = steadyEntries
	case renewed && p.restless > 0:
		p.restless--
	}
	p.addrs = addrs
}

// rotates: the addresses are not the same from entry to entry, so it matters when the next one begins.
func (p *phase) rotates() bool { return p.restless > 0 }

// unlocked: it matters when the entry ends, and the upstream does not tell.
func (p *phase) unlocked() bool { return p.misfits == maxMisfits && p.rotates() }

// interval is (from, to].
type interval struct{ from, to time.Duration }

func (i interval) width() time.Duration { return i.to - i.from }

// and is the part that is in both. It is empty if they exclude each other.
func (i interval) and(j interval) (both interval, empty bool) {
	both = interval{from: max(i.from, j.from), to: min(i.to, j.to)}
	return both, both.from >= both.to
}
