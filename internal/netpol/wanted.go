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

// claim is one reason for an address in a rule: an answer for a pattern, or that it was carried.
type claim struct {
	addr    netip.Addr
	pattern fqdn.Pattern // zero: carried, and nothing says for which
	carried bool
	current bool
}

func (c *claim) isUnknown() bool { return c.pattern == fqdn.Pattern{} }

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
	n := c.in.Carried.Rules[r.key].len()
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

// carriedClaims lists what a rule holds because it was carried. Where nothing says for which pattern, an ipBlock of the spec
// may be all that the address was there for. In mode Audit nothing is carried: no answer has said it, so it is not reported.
func (c *compilation) carriedClaims(w *wanted, i int) []claim {
	r := &c.rules[i]
	carried, ok := c.in.Carried.Rules[r.key]
	if !ok || c.in.Policy.Audit {
		return nil
	}
	var claims []claim
	add := func(addrs []netip.Addr, p fqdn.Pattern, until time.Time) {
		for _, raw := range addrs {
			a, refused := c.in.Guard.Admit(raw)
			if refused == "" && w.holds(until, func() bool { return c.live.has(i, a) }) {
				claims = append(claims, claim{addr: a, pattern: p, carried: true})
			}
		}
	}
	for _, p := range r.patterns {
		if addrs := carried.Of[p]; len(addrs) > 0 {
			add(addrs, p, c.in.Carried.untilFor(p, c.in.Names, c.in.MaxStale))
		}
	}
	if until, ok := c.in.Carried.until(r, c.in.Names, c.in.MaxStale); ok {
		add(lackingBlocks(carried.Unknown, r.blocks), fqdn.Pattern{}, until)
	}
	return claims
}

func lackingBlocks(addrs []netip.Addr, blocks map[netip.Addr]bool) []netip.Addr {
	if len(blocks) == 0 {
		return addrs
	}
	return slices.DeleteFunc(slices.Clone(addrs), func(a netip.Addr) bool { return blocks[a] })
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

// compareClaims sorts by address; a claim without a pattern comes after those with one.
func compareClaims(a, b claim) int {
	return cmp.Or(a.addr.Compare(b.addr), compareBool(a.isUnknown(), b.isUnknown()))
}
