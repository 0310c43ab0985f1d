// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import "time"

// contest notices that somebody keeps undoing what we write (a mutating webhook, another controller), and slows the
// repairs down then. It is over when nothing had to be repaired for contestedWithin.
type contest struct {
	repairs []time.Time // the last contestedAfter ones, oldest first
	on      bool
}

// repaired takes note of one repair.
func (c *contest) repaired(now time.Time) {
	c.repairs = append(c.repairs, now)
	if extra := len(c.repairs) - contestedAfter; extra > 0 {
		c.repairs = c.repairs[extra:]
	}
	if len(c.repairs) == contestedAfter && now.Sub(c.repairs[0]) <= contestedWithin {
		c.on = true
	}
}

// nextRepair returns when the next repair may go out; zero: at once.
func (c *contest) nextRepair() time.Time {
	if !c.on {
		return time.Time{}
	}
	return c.last().Add(contestedPace)
}

// settle ends the contest when it is over, and returns when to look again; zero: nothing to look for.
func (c *contest) settle(now time.Time) time.Time {
	if !c.on {
		return time.Time{}
	}
	if end := c.last().Add(contestedWithin); end.After(now) {
		return end
	}
	*c = contest{}
	return time.Time{}
}

func (c *contest) last() time.Time { return c.repairs[len(c.repairs)-1] }
