// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"net/netip"
	"slices"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// Grants are all that a policy allows at an instant, before it is written into objects of whatever kind. Nobody changes one
// that is made: the stages share its slices.
type Grants struct {
	// DNS has the grants that lead to the cluster's DNS: at most two sets of ports. They stand apart from Rules, also where
	// the ports are the same.
	DNS []RuleGrants
	// Rules has one RuleGrants for each set of ports of the spec, in its order. One may be empty.
	Rules []RuleGrants
	// Refused has the addresses that the guard kept out, for each pattern, sorted by address and distinct.
	Refused map[fqdn.Pattern][]Refusal
}

// RuleGrants are the grants at one set of ports.
type RuleGrants struct {
	Ports Ports
	// Patterns are the names and wildcards of these ports, in the order of the spec, distinct.
	Patterns []fqdn.Pattern
	// Spec has the ordinary peers of the spec, or the peers of the DNS rule, in order and distinct.
	Spec []Grant
	// Names has the addresses for Patterns, sorted and distinct.
	Names []Grant
}

// Grant is a peer, at some ports, that a policy or an object allows.
type Grant struct {
	// Ports are shared by all grants of a rule.
	Ports *Ports
	// Addr is the peer if that is one address and nothing else.
	Addr netip.Addr
	// Peer is any other peer. With neither, the grant is every destination.
	Peer *networkingv1.NetworkPolicyPeer
	// Listed: the spec lists the address of a name as an ipBlock too, at the same ports. It is among Spec already.
	Listed bool
	// Claims say why an address of Names is there: at least one, those without a Pattern last. Others have none.
	Claims []Claim
}

// Claim is one reason for an address at some ports: an answer for a pattern, or that it was carried.
type Claim struct {
	// Pattern is the name or wildcard. Zero: the address was carried and nothing says for which.
	Pattern fqdn.Pattern
	// Carried: it was carried; no answer of this process held it for Pattern yet.
	Carried bool
	// Current: the last good answer of some source holds it.
	Current bool
	// Until is when the claim is due to go; zero: it stays. It is kept for Linger beyond that: a renderer may leave
	// a live address in its rule that long, in the hope of a write that happens anyway (see wantedNow).
	Until time.Time

	addr netip.Addr
}

func (c *Claim) isUnknown() bool { return c.Pattern == fqdn.Pattern{} }

// GrantsOf collects the grants of a policy at now. It looks at all of in but Live, MaxPeers, MaxObjects and Room.
//
//	rule of the spec       known of the names                 grants at the ports of the rule
//	a, *.b, 10.1.0.0/16    a: .1, .2 (due 5 s ago); *.b: .1   10.1.0.0/16; .1 for a and *.b; .2 for a, due
//	a                      a: .1 (due 40 s ago)               none
//	a                      a: 127.0.0.1                       none; Refused
//	a                      a: not answered; carried .3        .3 for a, carried
//	a, .1/32               a: .1                              .1/32; .1 for a, listed
func GrantsOf(in Input, now time.Time) Grants {
	in = in.withDefaults()
	return grantsOf(&in, in.DNS.rules(), now)
}

// grantsOf is GrantsOf with the DNS rules as they should be.
func grantsOf(in *Input, dns []RuleGrants, now time.Time) Grants {
	rules := mergeRules(in.Policy.Rules)
	answers := admitted(in.Guard, rules, in.Names)
	g := Grants{Rules: make([]RuleGrants, len(rules)), Refused: map[fqdn.Pattern][]Refusal{}}
	if in.Policy.ClusterDNS {
		g.DNS = dns
	}
	for i := range rules {
		r, to := &rules[i], &g.Rules[i]
		to.Ports, to.Patterns = r.ports, r.patterns
		to.Spec = specGrants(&to.Ports, r.ordinary)
		claims := append(answerClaims(r, answers, now), carriedClaims(r, in, now)...)
		slices.SortFunc(claims, compareClaims)
		to.Names = mergeClaims(&to.Ports, claims, r.blocks)
	}
	for p, a := range answers {
		if len(a.refused) > 0 {
			g.Refused[p] = a.refused
		}
	}
	return g
}

func specGrants(ports *Ports, peers []networkingv1.NetworkPolicyPeer) []Grant {
	grants := make([]Grant, len(peers))
	for i := range peers {
		grants[i].Ports = ports
		if a, ok := singleAddress(&peers[i]); ok {
			grants[i].Addr = a
		} else {
			grants[i].Peer = &peers[i]
		}
	}
	return grants
}

func answerClaims(r *rule, answers map[fqdn.Pattern]answer, now time.Time) []Claim {
	n := 0
	for _, p := range r.patterns {
		n += len(answers[p].addresses)
	}
	claims := make([]Claim, 0, n)
	for _, p := range r.patterns {
		for _, a := range answers[p].addresses {
			if counts(a.Until, now) {
				claims = append(claims, Claim{addr: a.Addr, Pattern: p, Current: a.Current, Until: a.Until})
			}
		}
	}
	return claims
}

// counts tells whether a claim is not over yet: it is not due, or was due less than Linger ago.
func counts(until, now time.Time) bool { return until.IsZero() || until.Add(Linger).After(now) }

// carriedClaims lists the claims of a rule to the addresses that it carried. Where nothing says for which pattern an
// address was there, an ipBlock of the spec may be the whole reason for it. In mode Audit nothing is carried: no answer has
// said it, so it is not reported.
func carriedClaims(r *rule, in *Input, now time.Time) []Claim {
	carried, ok := in.Carried.Rules[r.ports.Key]
	if !ok || in.Policy.Audit {
		return nil
	}
	var claims []Claim
	add := func(addrs []netip.Addr, p fqdn.Pattern, until time.Time) {
		if !counts(until, now) {
			return
		}
		for _, raw := range addrs {
			if a, refused := in.Guard.Admit(raw); refused == "" {
				claims = append(claims, Claim{addr: a, Pattern: p, Carried: true, Until: until})
			}
		}
	}
	for _, p := range r.patterns {
		if addrs := carried.Of[p]; len(addrs) > 0 {
			add(addrs, p, in.Carried.untilFor(p, in.Names, in.MaxStale))
		}
	}
	if until, ok := in.Carried.until(r.patterns, in.Names, in.MaxStale); ok {
		unlisted := slices.DeleteFunc(slices.Clone(carried.Unknown), func(a netip.Addr) bool { return r.blocks[a] })
		add(unlisted, fqdn.Pattern{}, until)
	}
	return claims
}

// compareClaims sorts by address; a claim without a pattern comes after those with one.
func compareClaims(a, b Claim) int {
	c := a.addr.Compare(b.addr)
	if c != 0 || a.isUnknown() == b.isUnknown() {
		return c
	}
	if a.isUnknown() {
		return 1
	}
	return -1
}

// mergeClaims makes one grant of the claims to one address.
func mergeClaims(ports *Ports, claims []Claim, listed map[netip.Addr]bool) []Grant {
	grants := make([]Grant, 0, len(claims))
	for len(claims) > 0 {
		a, n := claims[0].addr, 1
		for n < len(claims) && claims[n].addr == a {
			n++
		}
		grants = append(grants, Grant{Ports: ports, Addr: a, Listed: listed[a], Claims: claims[:n:n]})
		claims = claims[n:]
	}
	return grants
}
