// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/netip"
	"time"
)

// history is which addresses were allowed when, so that a connection can be judged as if what was written had reached the
// nodes later.
type history struct{ spans map[netip.Addr][]span }

// span is [from, to); a zero to is still open.
type span struct{ from, to time.Time }

func newHistory() *history { return &history{spans: map[netip.Addr][]span{}} }

// set notes that exactly these are allowed from now on.
func (h *history) set(addrs map[netip.Addr]bool, now time.Time) {
	for addr := range addrs {
		if !h.allows(addr, now) {
			h.spans[addr] = append(h.spans[addr], span{from: now})
		}
	}
	for addr, spans := range h.spans {
		if last := &spans[len(spans)-1]; last.to.IsZero() && !addrs[addr] {
			last.to = now
		}
	}
}

// allows says whether an address was allowed at a time not later than that of the last set.
func (h *history) allows(addr netip.Addr, at time.Time) bool {
	for _, s := range h.spans[addr] {
		if !at.Before(s.from) && (s.to.IsZero() || at.Before(s.to)) {
			return true
		}
	}
	return false
}

// without counts the addresses that are allowed at a time and not in held.
func (h *history) without(held map[netip.Addr]bool, at time.Time) (allowed, more int) {
	for addr := range h.spans {
		if !h.allows(addr, at) {
			continue
		}
		allowed++
		if !held[addr] {
			more++
		}
	}
	return allowed, more
}
