// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"net/netip"
	"slices"
	"time"
)

// take enters a good answer.
func (b *Book) take(n *name, k Key, outcome Outcome, addrs []netip.Addr, at, expires instant) {
	q := n.ask(k)
	n.compare(q, outcome, at, expires)
	n.recover(q, at, expires)
	addrs, left := b.cut(n, q, addrs)
	b.sample(n, q, addrs, b.before, at)
	n.adapt(b.options.MaxRetention)
	q.replace(addrs, at)
	q.failed, q.outcome = false, outcome
	q.good, q.expires, q.retired = at, expires, never
	if n.answered[k.Family] == never {
		n.answered[k.Family] = at
	}
	n.succeed(k.Family, at)
	b.noteLimit(n, left+b.evict(n), expires)
}

// view is what an owner sees of a name, but for the addresses. It differs between owners by their terms only, and there
// are few of these.
type view struct {
	retention time.Duration
	state     State
	message   string
	limited   bool
	answered  instant
	tried     bool
	rotation  Rotation
	turn      instant // when state or message change by themselves; forever: they do not
}

// change does what mutate does to a name, and returns the owners whose Snapshot that changed. While mutate runs, b.before
// is what the name had.
func (b *Book) change(n *name, at instant, mutate func()) []Owner {
	b.before = n.unite(b.before[:0], b.options.MaxStale)
	down := n.down()
	if b.changed == nil {
		mutate()
		n.noteOutages(down, at)
		n.dropRetired()
		return nil
	}
	terms := n.terms()
	before := b.views(n, b.before, terms, at)
	mutate()
	n.noteOutages(down, at)
	n.dropRetired()
	b.after = n.unite(b.after[:0], b.options.MaxStale)
	after := b.views(n, b.after, terms, at)

	var differ []term
	for i, t := range terms {
		sooner := after[i].turn < before[i].turn
		after[i].turn = before[i].turn // that it comes later is no news
		if sooner || after[i] != before[i] || !sameAddresses(b.before, b.after, after[i].retention, at) {
			differ = append(differ, t)
		}
	}
	return n.ownersOf(differ)
}

// terms returns those of the owners, distinct.
func (n *name) terms() []term {
	var all []term
	for _, w := range n.owners {
		if !slices.Contains(all, w.term) {
			all = append(all, w.term)
		}
	}
	return all
}

func (b *Book) views(n *name, us []union, terms []term, at instant) []view {
	vs := make([]view, len(terms))
	for i, t := range terms {
		vs[i] = b.view(n, us, n.retentionAt(t, at), at)
		vs[i].turn = b.turn(n, us, vs[i], at)
	}
	return vs
}

func (b *Book) view(n *name, us []union, retention time.Duration, at instant) view {
	ss := b.standings(n, us, retention, at)
	state, message := b.judge(n, ss, at)
	rotation, _ := n.rotation(retention, b.options.MaxAddressesPerName, at)
	return view{
		retention: retention,
		state:     state,
		message:   message,
		limited:   n.limitedEnd(retention) > at,
		answered:  n.answeredAt(b.asked),
		tried:     !anyFamily(ss, standing.untried),
		rotation:  rotation,
	}
}

// turn is when the state or the message of v change although nobody says anything; forever: they do not.
func (b *Book) turn(n *name, us []union, v view, at instant) instant {
	first := forever
	for _, turn := range n.turns() {
		if turn <= at || turn >= first {
			continue
		}
		state, message := b.judge(n, b.standings(n, us, v.retention, turn), turn)
		if state != v.state || message != v.message {
			first = turn
		}
	}
	return first
}

// limitedEnd is until when an Entry of that retention is Limited.
func (n *name) limitedEnd(retention time.Duration) instant {
	return n.limited.plus(max(retention, Linger))
}

// sameAddresses tells whether a Snapshot lists the same addresses with the same Until before and after.
func sameAddresses(before, after []union, retention time.Duration, at instant) bool {
	for {
		before, after = skipUnlisted(before, retention, at), skipUnlisted(after, retention, at)
		if len(before) == 0 || len(after) == 0 {
			return len(before) == len(after)
		}
		b, a := before[0], after[0]
		if b.addr != a.addr || b.until(retention) != a.until(retention) {
			return false
		}
		before, after = before[1:], after[1:]
	}
}

func skipUnlisted(us []union, retention time.Duration, at instant) []union {
	for len(us) > 0 && !us[0].listed(retention, at) {
		us = us[1:]
	}
	return us
}

// ownersOf returns the owners with one of the terms.
func (n *name) ownersOf(terms []term) []Owner {
	if len(terms) == 0 {
		return nil
	}
	owners := make([]Owner, 0, len(n.owners))
	for _, w := range n.owners {
		if slices.Contains(terms, w.term) {
			owners = append(owners, w.Owner)
		}
	}
	return owners
}
