// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// modelUnrest is what goes back and forth in the answers to a name.
type modelUnrest struct {
	disagree, mixed, capped time.Time // until
	up, again, shaky        [2]time.Time
	by                      map[Key]*modelTrouble
}

// modelTrouble is the same of one question.
type modelTrouble struct {
	last                            event // the last good answer
	failed, capped                  bool
	reason                          string
	heard, since, noted, flip, kind time.Time
	another, alternates             time.Time
}

// calmly is when it is over if nothing changes again after an answer with that TTL.
func calmly(now time.Time, ttl time.Duration) time.Time {
	if ttl < 150*time.Second {
		return now.Add(10 * time.Minute)
	}
	return now.Add(4 * ttl)
}

func (m *model) trouble(k Key) (*modelUnrest, *modelTrouble) {
	u := m.unrest[k.Subject()]
	if u == nil {
		u = &modelUnrest{by: map[Key]*modelTrouble{}}
		m.unrest[k.Subject()] = u
	}
	if u.by[k] == nil {
		u.by[k] = &modelTrouble{}
	}
	return u, u.by[k]
}

// watch does something that somebody said about a name, and notes which families go down by it or get up.
func (m *model) watch(n Subject, now time.Time, do func()) {
	before := m.down(n)
	do()
	u := m.unrest[n]
	for f, down := range m.down(n) {
		switch {
		case u == nil || down == before[f]:
		case down && now.Before(u.again[f]):
			u.shaky[f] = now.Add(10 * time.Minute)
		case !down:
			var ttl time.Duration
			for _, k := range m.speakers(n) {
				if last, _ := m.word(k); int(k.Family) == f && last.what == "good" {
					ttl = max(ttl, last.expires.Sub(last.at))
				}
			}
			u.up[f], u.again[f] = now, calmly(now, ttl)
			if now.Before(u.shaky[f]) {
				u.shaky[f] = u.again[f]
			}
		}
	}
}

// down are the families that somebody speaks for and nobody well.
func (m *model) down(n Subject) (down [2]bool) {
	var well [2]bool
	for _, k := range m.speakers(n) {
		last, _ := m.word(k)
		down[k.Family] = true
		well[k.Family] = well[k.Family] || last.what == "good"
	}
	return [2]bool{down[0] && !well[0], down[1] && !well[1]}
}

func (m *model) noteGood(e event, ttl time.Duration) {
	u, t := m.trouble(e.key)
	end := calmly(e.at, max(e.expires.Sub(e.at), t.last.expires.Sub(t.last.at)))
	had, has := t.last.outcome == Good, e.outcome == Good
	switch {
	case t.last.what == "" || t.last.outcome == e.outcome:
	case had != has:
		if e.at.Before(t.flip) {
			u.disagree = later(u.disagree, end)
		}
		t.flip = end
	default:
		if e.at.Before(t.kind) {
			u.mixed = later(u.mixed, end)
		}
		t.kind = end
	}
	if t.failed && (t.since.Before(t.noted) || !m.down(e.key.Subject())[e.key.Family] && m.lasts(e.key, e.at)) {
		t.noted = calmly(e.at, e.expires.Sub(e.at))
	}
	capped := ttl > m.options.MaxStale
	if t.capped && !capped {
		u.capped = e.at.Add(10 * time.Minute)
	}
	t.last, t.failed, t.capped = e, false, capped
}

func (m *model) noteFail(e event) {
	_, t := m.trouble(e.key)
	fresh, back := !t.failed && !e.at.Before(t.noted), t.reason == e.reason
	over := false
	switch {
	case fresh || back:
		if !t.another.IsZero() {
			t.alternates, t.another = e.at.Add(10*time.Minute), time.Time{}
		}
	default:
		if t.another.IsZero() {
			t.another = e.at
		}
		if over = !e.at.Before(t.another.Add(20 * time.Second)); e.at.Before(t.alternates) {
			over = !e.at.Before(t.heard.Add(10 * time.Minute))
		}
		if over {
			t.alternates, t.another = e.at.Add(10*time.Minute), time.Time{}
		}
	}
	if fresh || back || over {
		t.reason, t.heard = e.reason, e.at
	}
	if !t.failed {
		t.failed, t.since = true, e.at
	}
}

func (m *model) lasts(k Key, now time.Time) bool {
	u, t := m.trouble(k)
	return !now.Before(later(t.since, u.up[k.Family]).Add(time.Minute))
}

// forgetTrouble forgets what such questions said.
func (m *model) forgetTrouble(n Subject, such func(Key) bool) {
	if u := m.unrest[n]; u != nil {
		maps.DeleteFunc(u.by, func(k Key, _ *modelTrouble) bool { return such(k) })
	}
}

// unsteady is what a message says of that.
func (m *model) unsteady(n Subject, now time.Time) (facts []string, disagree, mixed bool) {
	u := m.unrest[n]
	if u == nil {
		return nil, false, false
	}
	if now.Before(u.disagree) {
		facts = append(facts, atOdds)
	}
	shaky, capped := false, now.Before(u.capped)
	for _, k := range m.speakers(n) {
		shaky = shaky || now.Before(u.shaky[k.Family])
		capped = capped || u.by[k] != nil && u.by[k].capped
	}
	if shaky {
		facts = append(facts, unreliable)
	}
	if capped {
		facts = append(facts, fmt.Sprintf("an answer has a TTL of more than %v, and counts for that time only", m.options.MaxStale))
	}
	return facts, now.Before(u.disagree), now.Before(u.mixed)
}

// beside lists the sources that fail while others answer, if that lasts, or did a while ago.
func (m *model) beside(n Subject, fs [2]modelFamily, now time.Time) []string {
	var all []string
	for _, k := range m.speakers(n) {
		f := fs[k.Family]
		t := m.unrest[n].by[k]
		if !f.well || f.shaky || t == nil {
			continue
		}
		if now.Before(t.noted) || t.failed && (t.since.Before(t.noted) || m.lasts(k, now)) {
			all = append(all, t.reason+" from "+string(k.Source)+" while others answer")
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
