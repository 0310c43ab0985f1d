// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"net/netip"
	"slices"
	"time"
)

// wanted has the Grants that count now.
type wanted struct {
	Grants
	lingers bool      // some claim is due and kept
	next    time.Time // until then it stays the same; zero: for ever
}

// wantedNow leaves out the claims that are due, but for those that may linger, and the grants of which nothing is left.
//
//	claim           lingers in the rule   kept   next
//	no Until        -                     yes    -
//	due in 5 s      -                     yes    in 5 s
//	due 5 s ago     yes                   yes    in 25 s
//	due 5 s ago     no                    no     -
func wantedNow(g Grants, now time.Time, mayLinger func(RuleKey, netip.Addr) bool) wanted {
	w := wanted{Grants: g}
	w.Rules = slices.Clone(g.Rules)
	for i := range w.Rules {
		r := &w.Rules[i]
		goes := func(c Claim) bool { return isDue(c.Until, now) && !mayLinger(r.Ports.Key, c.addr) }
		anyGoes := false
		for j := range r.Names {
			for _, c := range r.Names[j].Claims {
				switch {
				case c.Until.IsZero():
				case c.Until.After(now):
					w.next = earlier(w.next, c.Until)
				case goes(c):
					anyGoes = true
				default:
					w.lingers = true
					w.next = earlier(w.next, c.Until.Add(Linger))
				}
			}
		}
		if anyGoes {
			r.Names = withoutClaims(r.Names, goes)
		}
	}
	return w
}

// ordinary returns how many peers stand in the first object whatever the names are: those of the DNS rule and of the spec.
func (w *wanted) ordinary() int {
	n := 0
	for _, rules := range [][]RuleGrants{w.DNS, w.Rules} {
		for i := range rules {
			n += len(rules[i].Spec)
		}
	}
	return n
}

// nothingLingers is for wantedNow.
func nothingLingers(RuleKey, netip.Addr) bool { return false }

func isDue(until, now time.Time) bool { return !until.IsZero() && !until.After(now) }

// earlier returns the earlier of two instants, of which a zero one does not count.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

func withoutClaims(grants []Grant, goes func(Claim) bool) []Grant {
	kept := make([]Grant, 0, len(grants))
	for _, g := range grants {
		if slices.ContainsFunc(g.Claims, goes) {
			g.Claims = slices.DeleteFunc(slices.Clone(g.Claims), goes)
		}
		if len(g.Claims) > 0 {
			kept = append(kept, g)
		}
	}
	return kept
}
