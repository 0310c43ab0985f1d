// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import "time"

// Families returns the families that are asked, sorted. They are asked about all that is wanted; a Subscription is told when
// they change.
func (b *Book) Families() []Family {
	b.rlock()
	defer b.runlock()
	var asked []Family
	for f, is := range b.asked {
		if is {
			asked = append(asked, Family(f))
		}
	}
	return asked
}

// SetFamilies changes the families that are asked; none changes nothing. OnChange tells all owners.
//
// A family that is asked from now on takes nothing away: a name keeps its state until the family answers or fails, and is
// no longer Answered nor Tried until then. The addresses of a family that is asked no more are retained from now on,
// or from the expiry of the last answer that held them; what was said about it counts for no state any more.
func (b *Book) SetFamilies(fs []Family, now time.Time) {
	b.changingFamilies.Lock()
	defer b.changingFamilies.Unlock()
	after := asking(fs)
	if !b.ask(after) {
		return
	}
	at := b.epoch.instant(now)
	var told news
	for _, v := range b.allViews() {
		b.eachName(v, func(n *name) { n.setFamilies(after, at) })
		told.owners = append(told.owners, b.ownersIn(v)...)
	}
	b.subscribers.signal()
	b.tell(told)
}

// ask takes over the families for names that are wanted from now on, and tells whether they changed.
func (b *Book) ask(families [families]bool) bool {
	b.lock()
	defer b.unlock()
	if families == b.asked || families == asking(nil) {
		return false
	}
	b.asked = families
	return true
}

// setFamilies changes the families that a name is asked about.
func (n *name) setFamilies(after [families]bool, at instant) {
	n.lock()
	defer n.unlock()
	if n.gone || n.asked == after {
		return
	}
	n.prune(at)
	n.changes(IPv4)
	n.changes(IPv6)
	n.prunesFrom(never)
	before := n.asked
	stay := [families]bool{before[IPv4] && after[IPv4], before[IPv6] && after[IPv6]}
	for f := range Family(families) {
		switch {
		case before[f] && !after[f]:
			n.silence(f, at)
		case after[f] && !before[f]:
			n.joins[f] = n.spoken(stay)
		}
	}
	n.asked = after
	n.dropRetired()
	n.charge(n.united(), at)
}

// asking is the set of families.
func asking(fs []Family) (asked [families]bool) {
	for _, f := range fs {
		if f < families {
			asked[f] = true
		}
	}
	return asked
}

// silence takes from all questions of a family what they said, but for the addresses, which begin to age.
func (n *name) silence(f Family, at instant) {
	for i := range n.questions {
		if q := &n.questions[i]; q.family == f {
			n.age(q, at)
			q.failed, q.capped, q.trouble = false, false, nil
			q.good, q.expires = never, never
			q.retire(at)
		}
	}
	n.answered[f], n.joins[f] = never, false
}

// spoken tells whether a source answered or failed in one of the families.
func (n *name) spoken(asked [families]bool) bool {
	for q := range n.speakers() {
		if asked[q.family] {
			return true
		}
	}
	return false
}
