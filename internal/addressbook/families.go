// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import "time"

// Families returns the families that are asked, sorted. They are asked about all that Wanted names, and its channel is
// closed too when they change.
func (b *Book) Families() []Family {
	b.mu.Lock()
	defer b.mu.Unlock()
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
	b.notify(b.setFamilies(fs, now))
}

func (b *Book) setFamilies(fs []Family, now time.Time) []Owner {
	b.mu.Lock()
	defer b.mu.Unlock()
	before, after := b.asked, asking(fs)
	if after == before || after == asking(nil) {
		return nil
	}
	at := b.epoch.instant(now)
	stay := [families]bool{before[IPv4] && after[IPv4], before[IPv6] && after[IPv6]}
	for _, n := range b.names {
		b.prune(n, at)
		for f := range Family(families) {
			switch {
			case before[f] && !after[f]:
				n.silence(f, at)
			case after[f] && !before[f]:
				n.joins[f] = n.spoken(stay)
			}
		}
		n.dropRetired()
	}
	b.asked = after
	b.wanted.change()
	for _, s := range b.subscriptions {
		s.signal()
	}
	owners := make([]Owner, 0, len(b.owners))
	for o := range b.owners {
		owners = append(owners, o)
	}
	return owners
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
			q.failed, q.reason, q.capped, q.trouble = false, "", false, nil
			q.good, q.expires, q.retired = never, never, at
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
