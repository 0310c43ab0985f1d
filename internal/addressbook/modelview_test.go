// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// entries is the Snapshot of the model, but for Next.
func (m *model) entries(o Owner, now time.Time) []PatternState {
	w := m.owners[o]
	if w == nil {
		return nil
	}
	var all []PatternState
	for _, p := range w.patterns {
		e := PatternState{Pattern: p, Wanted: w.since[p], Retention: w.retention, State: Pending, Message: unobserved}
		if w.waits[p] {
			e.Limit, e.Message = w.limits[p], m.options.waitingMessage(w.limits[p], o.Tenant())
		} else {
			m.fill(&e, m.pool(w.view, p), now)
		}
		all = append(all, e)
	}
	return all
}

func (m *model) fill(e *PatternState, n Subject, now time.Time) {
	e.Addresses = m.addresses(m.facts(n), e.Retention, now)
	for _, mark := range m.limited[n] {
		if mark.tells(e.Retention, now) && (e.Limit == NoLimit || mark.limit < e.Limit) {
			e.Limit = mark.limit
		}
	}
	if n.Name != (fqdn.Name{}) {
		e.Answered = m.answered(n)
		e.Tried = m.tried(n)
		e.State, e.Message = m.state(n, e.Retention, now)
	} else if slices.ContainsFunc(e.Addresses, func(a Address) bool { return a.Until.After(now) }) {
		e.State, e.Message = Resolved, ""
	}
}

// tells: the answer that brought too many has not expired for longer than the retention, and who keeps addresses for that long
// would have listed what went.
func (mark modelMark) tells(retention time.Duration, now time.Time) bool {
	lost := len(mark.gone) == 0
	for _, f := range mark.gone {
		end, finite := f.end(retention)
		lost = lost || !finite || end.Add(ListedAfterUntil).After(mark.at)
	}
	return lost && now.Before(mark.expires.Add(max(retention, ListedAfterUntil)))
}

func (m *model) addresses(facts []fact, retention time.Duration, now time.Time) []Address {
	byAddr := map[netip.Addr]*Address{}
	unlimited := map[netip.Addr]bool{}
	for _, f := range facts {
		a := byAddr[f.addr]
		if a == nil {
			a = &Address{Addr: f.addr}
			byAddr[f.addr] = a
		}
		end, finite := f.end(retention)
		a.Until = later(a.Until, end)
		unlimited[f.addr] = unlimited[f.addr] || !finite
		a.Current = a.Current || f.current && (!finite || end.After(now)) || f.told && f.bound.After(now)
	}
	var all []Address
	for addr, a := range byAddr {
		if unlimited[addr] {
			a.Until = time.Time{}
		} else if !a.Until.Add(ListedAfterUntil).After(now) {
			continue
		}
		all = append(all, *a)
	}
	slices.SortFunc(all, func(a, b Address) int { return a.Addr.Compare(b.Addr) })
	return all
}

func (m *model) answered(n Subject) time.Time {
	var first [2]time.Time
	for _, e := range m.history[n] {
		switch {
		case e.what == "good" && first[e.key.Family].IsZero():
			first[e.key.Family] = e.at
		case e.what == "narrow":
			first[e.key.Family] = time.Time{}
		}
	}
	if m.asked[IPv4] && first[IPv4].IsZero() || m.asked[IPv6] && first[IPv6].IsZero() {
		return time.Time{}
	}
	return later(first[:]...)
}

func (m *model) tried(n Subject) bool {
	var tried [2]bool
	for _, e := range m.history[n] {
		switch e.what {
		case "good", "fail":
			tried[e.key.Family] = true
		case "narrow":
			tried[e.key.Family] = false
		}
	}
	return (tried[IPv4] || !m.asked[IPv4]) && (tried[IPv6] || !m.asked[IPv6])
}

// modelFamily is where one family of a name stands.
type modelFamily struct {
	spoken, awaited, well, current, shaky bool
	kept                                  int
}

func (f modelFamily) failing() bool { return f.spoken && !f.well }

func (m *model) families(n Subject, retention time.Duration, now time.Time) [2]modelFamily {
	fs := [2]modelFamily{{awaited: m.asked[IPv4]}, {awaited: m.asked[IPv6]}}
	for _, e := range m.history[n] {
		switch e.what {
		case "join":
			fs[e.key.Family].awaited = false
		case "narrow":
			fs[e.key.Family].awaited = m.asked[e.key.Family]
		}
	}
	for _, k := range m.speakers(n) {
		last, _ := m.word(k)
		f := &fs[k.Family]
		f.spoken, f.awaited = true, false
		f.well = f.well || last.what == "good"
	}
	if !fs[IPv4].spoken && !fs[IPv6].spoken {
		fs[IPv4].awaited, fs[IPv6].awaited = m.asked[IPv4], m.asked[IPv6]
	}
	asked := slices.DeleteFunc(m.facts(n), func(f fact) bool { return f.told })
	for _, a := range m.addresses(asked, retention, now) {
		f := &fs[IPv6]
		if a.Addr.Is4() {
			f = &fs[IPv4]
		}
		if a.Until.IsZero() || a.Until.After(now) {
			f.kept++
			f.current = f.current || a.Current
		}
	}
	for i := range fs {
		f, u := &fs[i], m.unrest[n]
		if f.spoken && now.Before(u.shaky[i]) {
			f.shaky, f.well = true, true
		}
		if f.kept > 0 && f.well && (f.shaky || now.Before(u.disagree)) {
			f.current = true
		}
	}
	return fs
}

func (m *model) state(n Subject, retention time.Duration, now time.Time) (State, string) {
	fs := m.families(n, retention, now)
	v4, v6 := fs[IPv4], fs[IPv6]
	failures := append(m.failures(n, fs), m.beside(n, fs, now)...)
	slices.Sort(failures)
	unsteady, disagree, mixed := m.unsteady(n, now)
	if v4.awaited || v6.awaited {
		waiting := "waiting for the first answer for " + typesOf(v4.awaited, v6.awaited, " and ")
		return Pending, sentence(append([]string{waiting}, failures...), 0)
	}
	stale := 0
	for _, f := range fs {
		if f.failing() {
			stale += f.kept
		}
	}
	switch {
	case stale > 0:
		return Stale, sentence(append(failures, unsteady...), stale)
	case v4.well && v4.current || v6.well && v6.current:
		return Resolved, sentence(append(unsteady, failures...), 0)
	case v4.failing() || v6.failing():
		return Failing, sentence(append(failures, unsteady...), v4.kept+v6.kept)
	}
	absences, hint := m.absences(n, mixed)
	if disagree {
		absences, hint = nil, ""
	}
	return NotFound, sentence(append(append(absences, failures...), unsteady...), v4.kept+v6.kept) + hint
}

// failures are those of families that nobody answers well.
func (m *model) failures(n Subject, fs [2]modelFamily) []string {
	types := map[string]*[2]bool{}
	for _, k := range m.speakers(n) {
		if fs[k.Family].well {
			continue
		}
		text := m.unrest[n].by[k].reason + " for %s from " + string(k.Source)
		if types[text] == nil {
			types[text] = &[2]bool{}
		}
		types[text][k.Family] = true
	}
	var all []string
	for text, t := range types {
		all = append(all, fmt.Sprintf(text, typesOf(t[IPv4], t[IPv6], " and ")))
	}
	return all
}

// absences are the sources whose last good answers had no addresses; the hint is for names of three labels.
func (m *model) absences(n Subject, mixed bool) (all []string, hint string) {
	hint = otherHosts
	for _, s := range sources {
		var nodata [2]bool
		nx, said := false, false
		for _, k := range m.speakers(n) {
			if k.Source != s {
				continue
			}
			last, t := event{}, m.unrest[n].by[k]
			if t != nil {
				last = t.last
			}
			if last.what == "" || t.failed && last.outcome == Good {
				hint = ""
				continue
			}
			said = true
			nx = nx || last.outcome == NXDomain
			nodata[k.Family] = last.outcome != NXDomain
		}
		switch {
		case !said:
		case mixed:
			all = append(all, "NXDOMAIN or NODATA, now one and now the other, from "+string(s))
		case nx:
			all = append(all, "NXDOMAIN from "+string(s))
		default:
			all = append(all, "no "+typesOf(nodata[IPv4], nodata[IPv6], " or ")+" records (NODATA) from "+string(s))
		}
		if nx || mixed {
			hint = ""
		}
	}
	slices.Sort(all)
	return all, hint
}

func typesOf(a, aaaa bool, conjunction string) string {
	var types []string
	if a {
		types = append(types, "A")
	}
	if aaaa {
		types = append(types, "AAAA")
	}
	return strings.Join(types, conjunction)
}

func sentence(facts []string, kept int) string {
	if len(facts) > 3 {
		facts = append(slices.Clone(facts[:3]), "and more")
	}
	s := strings.Join(facts, "; ")
	if kept > 0 {
		s += fmt.Sprintf(", keeping %d address", kept)
	}
	if kept > 1 {
		s += "es"
	}
	return s
}
