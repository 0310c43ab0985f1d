// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// wanted is what the rules should have at an instant.
type wanted struct {
	now    time.Time
	linger bool // whether addresses may linger

	peers     []peer // sorted by rule, then address
	lingering bool   // one does
	next      time.Time
}

// peer is an address that a rule should have.
type peer struct {
	rule    int
	addr    netip.Addr
	current bool
	listed  bool    // the spec lists it as an ipBlock of the rule: it is there anyway
	claims  []claim // why it should be there; at least one
	object  int     // set by placement
}

// claim is one reason for an address in a rule: a pattern, or that it was carried.
type claim struct {
	addr    netip.Addr
	pattern fqdn.Pattern
	carried bool
	current bool
}

// want collects what the rules should have now.
func (c *compilation) want(linger bool) *wanted {
	w := &wanted{now: c.now, linger: linger}
	for i := range c.rules {
		claims := c.claims(w, i)
		slices.SortFunc(claims, compareClaims)
		w.group(i, &c.rules[i], claims)
	}
	return w
}

// claims lists the claims of one rule that hold now.
func (c *compilation) claims(w *wanted, i int) []claim {
	r := &c.rules[i]
	n := len(c.in.Carried.Rules[r.key])
	for _, p := range r.patterns {
		n += len(c.judged[p].addresses)
	}
	claims := make([]claim, 0, n)
	for _, p := range r.patterns {
		for _, a := range c.judged[p].addresses {
			if w.holds(a.Until, func() bool { return c.live.has(i, a.Addr) }) {
				claims = append(claims, claim{addr: a.Addr, pattern: p, current: a.Current})
			}
		}
	}
	return append(claims, c.carriedClaims(w, i)...)
}

func (c *compilation) carriedClaims(w *wanted, i int) []claim {
	r := &c.rules[i]
	addrs := c.in.Carried.Rules[r.key]
	until, ok := c.in.Carried.until(r, c.in.Names, c.in.MaxStale)
	if !ok || len(addrs) == 0 {
		return nil
	}
	var claims []claim
	for _, raw := range addrs {
		a, refused := c.in.Guard.Judge(raw)
		if refused != "" || r.blocks[a] {
			continue
		}
		if w.holds(until, func() bool { return c.live.has(i, a) }) {
			claims = append(claims, claim{addr: a, carried: true})
		}
	}
	return claims
}

// holds tells whether an address with that Until still has its place, and notes when that ends.
func (w *wanted) holds(until time.Time, isLive func() bool) bool {
	if until.IsZero() {
		return true
	}
	if until.After(w.now) {
		w.wake(until)
		return true
	}
	end := until.Add(Linger)
	if !w.linger || !end.After(w.now) || !isLive() {
		return false
	}
	w.lingering = true
	w.wake(end)
	return true
}

func (w *wanted) wake(at time.Time) {
	if w.next.IsZero() || at.Before(w.next) {
		w.next = at
	}
}

// group makes one peer of the claims to one address.
func (w *wanted) group(i int, r *rule, claims []claim) {
	w.peers = slices.Grow(w.peers, len(claims))
	for len(claims) > 0 {
		p := peer{rule: i, addr: claims[0].addr}
		n := 0
		for n < len(claims) && claims[n].addr == p.addr {
			p.current = p.current || claims[n].current
			n++
		}
		p.claims, p.listed = claims[:n:n], r.blocks[p.addr]
		w.peers = append(w.peers, p)
		claims = claims[n:]
	}
}

// compareClaims sorts by address; a carried claim comes after those of patterns.
func compareClaims(a, b claim) int {
	return cmp.Or(a.addr.Compare(b.addr), compareBool(a.carried, b.carried))
}
