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
	addrs, left := b.cut(n, q, addrs)
	q.replace(addrs, at)
	q.failed, q.reason, q.outcome = false, "", outcome
	q.good, q.expires, q.retired = at, expires, never
	if n.answered[k.Family] == never {
		n.answered[k.Family] = at
	}
	n.succeed(k.Family, at)
	b.noteLimit(n, left+b.evict(n), at, expires)
}

// view is what an owner sees of a name, but for the addresses. It differs between owners by their retention only, and
// there are few of these.
type view struct {
	retention time.Duration
	state     State
	message   string
	limited   bool
	answered  instant
}

// change does what mutate does to a name, and returns the owners whose Snapshot that changed.
func (b *Book) change(n *name, at instant, mutate func()) []Owner {
	if b.changed == nil {
		mutate()
		n.dropRetired()
		return nil
	}
	retentions := n.retentions()
	b.before = n.unite(b.before[:0], b.options.MaxStale)
	before := b.views(n, b.before, retentions, at)
	mutate()
	n.dropRetired()
	b.after = n.unite(b.after[:0], b.options.MaxStale)
	after := b.views(n, b.after, retentions, at)

	differ := make(map[time.Duration]bool, len(after))
	for i, v := range after {
		if v != before[i] || !sameAddresses(b.before, b.after, v.retention, at) {
			differ[v.retention] = true
		}
	}
	return n.ownersOf(differ)
}

// retentions returns those of the owners, sorted and distinct.
func (n *name) retentions() []time.Duration {
	var all []time.Duration
	for _, w := range n.owners {
		if last := len(all) - 1; last < 0 || all[last] != w.retention {
			all = append(all, w.retention)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (b *Book) views(n *name, us []union, retentions []time.Duration, at instant) []view {
	vs := make([]view, len(retentions))
	for i, r := range retentions {
		vs[i] = b.view(n, us, r, at)
	}
	return vs
}

func (b *Book) view(n *name, us []union, retention time.Duration, at instant) view {
	state, message := b.judge(n, us, retention, at)
	return view{
		retention: retention,
		state:     state,
		message:   message,
		limited:   n.limitedEnd(retention) > at,
		answered:  n.answeredAt(b.asked),
	}
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

// ownersOf returns the owners with one of the retentions.
func (n *name) ownersOf(retentions map[time.Duration]bool) []Owner {
	if len(retentions) == 0 {
		return nil
	}
	owners := make([]Owner, 0, len(n.owners))
	for _, w := range n.owners {
		if retentions[w.retention] {
			owners = append(owners, w.Owner)
		}
	}
	return owners
}
