// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"maps"
	"slices"
	"time"

	"github.com/fqdn-egress/fqdn-egress/controllers/when"
)

// contest notices that what we write does not stay, in two ways, and slows the repairs down then:
//
//	somebody undoes it (a controller, a person)  five repairs within a minute; over when a minute passes without one
//	the API server stores something else (a      the answer to a write differs from what was sent; over when an answer
//	mutating webhook or admission policy)        is as sent, or when the object is as wanted without a write
//
// The second way brings no watch event: a later write of the same is a no-op for the API server.
type contest struct{ *dispute } // nil: nothing of the kind happened, as for nearly all targets

// dispute is what happened.
type dispute struct {
	repairs []time.Time // the last contestedAfter ones, oldest first
	undone  bool        // there were contestedAfter of them within contestedWithin
	// altered says, by the name of the NetworkPolicy, how the last answer differed from what was sent.
	altered   map[string]string
	alteredAt time.Time // of the last such answer
}

// on tells whether repairs are slowed down.
func (c *contest) on() bool { return c.dispute != nil && (c.undone || len(c.altered) > 0) }

// alters tells whether the API server stores something else than what was sent.
func (c *contest) alters() bool { return c.dispute != nil && len(c.altered) > 0 }

// begin makes room for what happened.
func (c *contest) begin() {
	if c.dispute == nil {
		c.dispute = &dispute{}
	}
}

// repaired takes note of one repair. Those of an object that the API server alters are no news.
func (c *contest) repaired(name string, now time.Time) {
	c.begin()
	if _, known := c.altered[name]; known {
		return
	}
	c.repairs = append(c.repairs, now)
	if extra := len(c.repairs) - contestedAfter; extra > 0 {
		c.repairs = c.repairs[extra:]
	}
	if len(c.repairs) == contestedAfter && now.Sub(c.repairs[0]) <= contestedWithin {
		c.undone = true
	}
}

// answered takes note of what the API server made of a write; difference is "" for what was sent.
func (c *contest) answered(name, difference string, now time.Time) {
	if difference == "" {
		if c.alters() {
			delete(c.altered, name)
		}
		return
	}
	c.begin()
	if c.altered == nil {
		c.altered = map[string]string{}
	}
	c.altered[name], c.alteredAt = difference, now
}

// only forgets what the API server altered in objects that are not wanted any more: they go, whatever is in them.
func (c *contest) only(wanted []string) {
	if !c.alters() {
		return
	}
	maps.DeleteFunc(c.altered, func(name, _ string) bool { return !slices.Contains(wanted, name) })
}

// asWanted ends what the API server altered: every object is as it should be.
func (c *contest) asWanted() {
	if c.alters() {
		c.altered = nil
	}
}

// nextRepair returns when the next repair may go out; zero: at once.
func (c *contest) nextRepair() time.Time {
	if !c.on() {
		return time.Time{}
	}
	var last time.Time
	if c.undone {
		last = c.repairs[len(c.repairs)-1]
	}
	if c.alters() && c.alteredAt.After(last) {
		last = c.alteredAt
	}
	return last.Add(ContestedPace)
}

// settle ends the contest with somebody when it is over, and returns when to look again; zero: nothing to look for.
func (c *contest) settle(now time.Time) time.Time {
	if c.dispute != nil && c.undone {
		end := c.repairs[len(c.repairs)-1].Add(contestedWithin)
		if end.After(now) {
			return when.Earliest(end, c.nextAltered())
		}
		c.repairs, c.undone = nil, false
	}
	return c.nextAltered()
}

// nextAltered returns when what the API server altered is tried again; zero: nothing is.
func (c *contest) nextAltered() time.Time {
	if !c.alters() {
		return time.Time{}
	}
	return c.alteredAt.Add(ContestedPace)
}

// differences says for a person what the API server altered, by the name of the NetworkPolicy; nil if nothing.
func (c *contest) differences() []string {
	if !c.alters() {
		return nil
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(c.altered)) {
		parts = append(parts, name+": "+c.altered[name])
	}
	return parts
}
