// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import "time"

// standing is where one family of a name stands, for one retention.
type standing struct {
	asked   bool // the Book takes answers of the family
	joins   bool // it does so since later than others had spoken
	spoken  bool // some source answered or failed
	well    bool // some source's last word is good
	kept    int  // addresses whose Until has not passed
	current bool // one of these is current
}

func (s standing) pending() bool { return s.asked && !s.spoken && !s.joins }
func (s standing) untried() bool { return s.asked && !s.spoken }
func (s standing) failing() bool { return s.spoken && !s.well }

// judge returns the state of a name and the message that goes with it. See the States for the order.
func (n *name) judge(ss [families]standing) (State, string) {
	switch {
	case anyFamily(ss, standing.pending):
		return Pending, n.pendingMessage(ss)
	case anyFamily(ss, func(s standing) bool { return s.failing() && s.kept > 0 }):
		return Stale, n.failures(ss).keeping(keptBy(ss, standing.failing))
	case anyFamily(ss, func(s standing) bool { return s.well && s.current }):
		return Resolved, n.failures(ss).String()
	case anyFamily(ss, standing.failing):
		return Failing, n.failures(ss).keeping(keptBy(ss, anything))
	}
	return NotFound, n.absences(ss).keeping(keptBy(ss, anything)) + n.hint()
}

func (b *Book) standings(n *name, us []union, retention time.Duration, at instant) [families]standing {
	var ss [families]standing
	for f := range ss {
		ss[f].asked, ss[f].joins = b.asked[f], n.joins[f]
	}
	for q := range n.speakers() {
		s := &ss[q.family]
		s.spoken = true
		s.well = s.well || !q.failed
	}
	if !anyFamily(ss, func(s standing) bool { return s.spoken }) {
		for f := range ss {
			ss[f].joins = false // there is no state that it could leave alone
		}
	}
	for _, u := range us {
		if u.kept(retention, at) {
			s := &ss[familyOf(u.addr)]
			s.kept++
			s.current = s.current || u.current(at)
		}
	}
	return ss
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
