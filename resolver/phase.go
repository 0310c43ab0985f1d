// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"net/netip"
	"slices"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

// phase is what is known of when the entry ends that a cache has for a question, so that the question can be asked again
// right then: the answer to it is what pods are told next, and they are told it from that moment on.
//
// A cache counts a TTL down in whole seconds, so one answer tells the end to a second. Each further one, asked at another
// fraction of a second, tells it more closely; asked so that the answer's TTL falls in the middle of what is left, it halves it.
// Once it is told closely it stays so: the next entry begins where this one ended.
type phase struct {
	end   interval      // of the entry of the last answer; zero: there was none
	ttl   time.Duration // of the first answer from that entry
	addrs []netip.Addr  // of the last answer, sorted
	// toZero: the upstream hands an entry out with no second left too, for one more second, as CoreDNS with serve_stale does.
	toZero bool
	// blind: it hands out the full TTL again and again, so that nothing tells of the end.
	blind bool

	changed bool // the addresses changed at least once
	steady  int  // entries since, with the same addresses

	// confirmed: a second answer from that entry. Two clients that missed the one before together are each told a set of
	// their own, and the cache keeps what came last: then the first answer is nobody else's, and the end a little later.
	confirmed bool
	// overdue answers in a row came from the entry although it should have ended.
	overdue int

	// inferred: end.from follows from the end of the entry before, and no answer has shown yet that this one does not end
	// sooner. unproven counts such entries in a row, misfits those that did.
	inferred          bool
	unproven, misfits int
}

// interval is (from, to].
type interval struct{ from, to time.Time }

func (i interval) width() time.Duration { return i.to.Sub(i.from) }

// and is what both allow. It is empty if they exclude each other.
func (i interval) and(j interval) (both interval, empty bool) {
	both = interval{from: later(i.from, j.from), to: j.to}
	if i.to.Before(j.to) {
		both.to = i.to
	}
	return both, !both.from.Before(both.to)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func sooner(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

const (
	// count is what caches count down in.
	count = time.Second
	// closely is how wide an end is left that is told closely, beside what the way to the upstream takes: to narrow it
	// further would cost questions for less than the timers of a busy process are late.
	closely = 4 * time.Millisecond
	// A name is narrowed until so many entries had the same addresses as the one before.
	steadyEntries = 16
	// The inference is put to the proof every so many entries.
	provenEntries = 8
	// So many misfits in a row are how an upstream is: it hands out the full TTL, renews ahead of time, or is several behind
	// one address. One comes with each flush of a cache, and with each miss that two clients share.
	habit = 3
	// So long after the first answer from an entry it is confirmed: those who missed together have been answered by then.
	confirmAfter = 20 * time.Millisecond
	// So many answers are overdue before what comes is taken for a short entry: with pauses that double, a count went by.
	mostOverdue = 9
)

// observe takes a good answer to a question that was sent and answered at these times.
func (p *phase) observe(a addressbook.Answer, sent, answered time.Time) {
	known := !p.end.to.IsZero()
	if a.TTL == 0 && p.ttl > count && !p.toZero {
		p.toZero, p.end = true, interval{from: p.end.from.Add(count), to: p.end.to.Add(count)}
	}
	told := p.told(a.TTL, sent, answered)
	same, excluded := p.end.and(told)
	switch {
	case !known:
		p.end = told
	case sent.Before(p.end.to) && !excluded:
		p.again(a, told)
		p.end = same
		return
	case p.isOverdue(a.TTL, sent):
		p.end = told
		p.overdue++
		p.compare(a.Addrs, false)
		return
	case answered.Before(p.end.from):
		p.misfit(a, sent, answered)
	default:
		p.entry(a.TTL, sent, answered)
	}
	p.ttl, p.confirmed, p.overdue = a.TTL, false, 0
	p.compare(a.Addrs, known)
}

// told is when the entry of an answer with that TTL ends, which was asked for and came at these times.
func (p *phase) told(ttl time.Duration, sent, answered time.Time) interval {
	life := p.life(ttl)
	return interval{from: sent.Add(max(life, count) - count), to: answered.Add(life)}
}

// life is how long an entry lasts at most that has that TTL left.
func (p *phase) life(ttl time.Duration) time.Duration {
	if p.toZero {
		return ttl + count
	}
	return ttl
}

// isOverdue: the last second of an entry that began with more, when the next should have begun.
func (p *phase) isOverdue(ttl time.Duration, sent time.Time) bool {
	return ttl <= count && p.ttl > count && !sent.Before(p.end.to) && p.overdue < mostOverdue
}

// again takes a further answer from the entry of the last one.
func (p *phase) again(a addressbook.Answer, told interval) {
	if p.inferred && a.TTL <= 2*count && told.to.After(p.end.to.Add(count/2)) { // it lives until shortly before the end
		p.inferred, p.unproven, p.misfits = false, 0, 0
	}
	p.confirmed = true
	p.blind = p.blind && a.TTL == p.ttl
	if p.overdue > 0 {
		p.overdue++
	}
	p.compare(a.Addrs, false)
}

// misfit takes an answer that cannot be from the entry of the last one, which should not have ended.
func (p *phase) misfit(a addressbook.Answer, sent, answered time.Time) {
	p.blind = p.blind || a.TTL == p.ttl && slices.Equal(p.addrs, sortedAddrs(a.Addrs))
	p.end, p.inferred = p.told(a.TTL, sent, answered), false
	p.misfits = min(p.misfits+1, habit)
}

// entry begins the next one, as the last had ended: no sooner than that. One that begins with less is suspect, and may have
// begun a second before, behind a cache that does not count to zero any more.
func (p *phase) entry(ttl time.Duration, sent, answered time.Time) {
	p.unproven++
	if ttl < p.ttl {
		p.unproven = max(p.unproven, provenEntries)
		p.toZero = false
	}
	told := p.told(ttl, sent, answered)
	from := later(told.from, p.end.from.Add(p.life(ttl)))
	p.end, p.inferred = interval{from: from, to: told.to}, from.After(told.from)
}

// compare notes whether addresses changed. They do within an entry too, if two clients missed the one before together: the
// cache keeps what came last.
func (p *phase) compare(addrs []netip.Addr, renewed bool) {
	sorted := sortedAddrs(addrs)
	switch {
	case p.addrs != nil && !slices.Equal(p.addrs, sorted):
		p.changed, p.steady = true, 0
	case renewed:
		p.steady = min(p.steady+1, steadyEntries)
	}
	p.addrs = sorted
}

func sortedAddrs(addrs []netip.Addr) []netip.Addr {
	return slices.SortedFunc(slices.Values(addrs), netip.Addr.Compare)
}

// rotates: the addresses are not the same from entry to entry, so it matters when the next one begins.
func (p *phase) rotates() bool { return p.changed && p.steady < steadyEntries }

// lost: it matters when the entry ends, and cannot be told.
func (p *phase) lost() bool { return p.misfits == habit && p.rotates() }

// next is when to ask again after an answer that took way to come. pause is the least time between two questions; only a
// confirmation and what is overdue come sooner.
func (p *phase) next(answered time.Time, way, pause time.Duration) time.Time {
	if p.rotates() && !p.lost() && p.ttl > 2*count {
		if !p.confirmed {
			return answered.Add(confirmAfter)
		}
		if p.overdue > 0 && p.overdue < mostOverdue {
			return answered.Add(closely << (p.overdue - 1))
		}
	}
	return later(p.narrow(answered.Add(pause), way), answered.Add(pause))
}

// narrow is the next time that tells more of the end, or the end.
func (p *phase) narrow(earliest time.Time, way time.Duration) time.Time {
	switch {
	case !p.rotates():
	case p.lost() && p.blind: // any time may be the end
		return later(earliest, p.end.to.Add(-p.ttl+p.ttl/10))
	case p.lost(): // every second of the last part of the TTL
		return sooner(p.end.to, later(earliest, p.end.to.Add(-p.ttl/10-count)))
	case p.end.width() > closely+2*way: // the TTL falls to a number in the middle, or after it
		middle := p.end.from.Add(p.end.width() / 2)
		if ticks := middle.Sub(earliest).Truncate(count); ticks >= count {
			return middle.Add(-ticks)
		}
	case p.unproven >= provenEntries || p.misfits > 0: // it falls to 1 now, if the end is sooner, or there is another entry
		if at := p.end.from.Add(-count - closely - 2*way); !at.Before(earliest) {
			return at
		}
	}
	return p.end.to
}
