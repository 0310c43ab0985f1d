// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"net/netip"
	"slices"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// causeOf returns why something may have to be written.
//
//	the spec was not tried yet                        edit
//	the cluster's DNS or the guard changed            repair: what must not be open any more waits for nothing else
//	an object is not as it was sent                   repair, unless it is contested: then others must not pay for it
//	only pools have other addresses than at the last  pools
//	  look, or such whose time is over since
//	else: names, time                                 answers
func causeOf(s *situation, now time.Time) cause {
	m := s.memory
	switch {
	case m.written.generation != s.policy.Generation:
		return causeEdit
	case m.looked.clusterChanged(s.basis()), m.written.anyDrifted(s.live) && !m.contest.on():
		return causeRepair
	case m.looked.onlyPoolsMoved(s.snapshot.Patterns, now):
		return causePools
	}
	return causeAnswers
}

// onlyPoolsMoved tells whether since the last look pools got other addresses, or the time of such was over, and those of no other
// name did.
func (l *looked) onlyPoolsMoved(patterns []addressbook.PatternState, now time.Time) bool {
	if len(patterns) != len(l.revisions) {
		return false
	}
	moved := false
	for i := range patterns {
		if patterns[i].Revision == l.revisions[i] && !l.anyOver(patterns[i].Addresses, now) {
			continue
		}
		if !isPool(&patterns[i]) {
			return false
		}
		moved = true
	}
	return moved
}

// anyOver tells whether one of the addresses has to go now, and had not to at the last look.
func (l *looked) anyOver(addresses []addressbook.Address, now time.Time) bool {
	return slices.ContainsFunc(addresses, func(a addressbook.Address) bool {
		end := a.Until.Add(netpol.Linger)
		return !a.Until.IsZero() && end.After(l.at) && !end.After(now)
	})
}

// exactAddresses returns the addresses of all names that are no pools; nil if there are no pools.
func (s *situation) exactAddresses() map[netip.Addr]bool {
	exact, pools := map[netip.Addr]bool{}, false
	for i := range s.snapshot.Patterns {
		e := &s.snapshot.Patterns[i]
		if isPool(e) {
			pools = true
			continue
		}
		for _, a := range e.Addresses {
			exact[a.Addr.Unmap()] = true
		}
	}
	if !pools {
		return nil
	}
	return exact
}

// isPool tells whether a pattern is a wildcard, or a name with so many addresses that it is as restless as one.
func isPool(e *addressbook.PatternState) bool {
	_, exact := e.Pattern.Exact()
	return !exact || len(e.Addresses) >= poolSize
}
