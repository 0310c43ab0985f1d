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

// Carried has the addresses that a policy's NetworkPolicies allowed when this process saw them first (invariant 4 in
// docs/concepts.md), or when others began to be asked for the policy's names. The zero value carries nothing. Nobody
// changes it once it is made.
type Carried struct {
	// Since is when they were seen.
	Since time.Time
	Rules map[RuleKey]CarriedRule
}

// CarriedRule has the addresses that one rule carried. All lists are sorted and distinct.
type CarriedRule struct {
	// Of has the addresses of each pattern, as the annotation says. An address of two patterns stands in both lists.
	Of map[fqdn.Pattern][]netip.Addr
	// Unknown has the addresses of which no annotation says whose they are: it is missing (an older version wrote the
	// object), was cut or cannot be read.
	Unknown []netip.Addr
}

// len returns how many claims the rule may make.
func (r CarriedRule) len() int {
	n := len(r.Unknown)
	for _, addrs := range r.Of {
		n += len(addrs)
	}
	return n
}

// CarriedFrom reads the addresses that each rule of the policy's live objects carries: only /32 and /128 blocks, and never
// those of the DNS rule. Of live it reads the objects that have a name that we generate and are Ours or Adoptable. dns has
// the facts of the cluster DNS of now (see dnsLeads).
//
// The peers alone decide which addresses are carried; the annotation and the status only say for whom. An address that they
// name and that is no peer counts for nothing, and so does an address that only the spec listed. Where there is no
// annotation, single addresses that the spec lists as ipBlocks are among Unknown; Compile does not count these while the
// spec lists them in the same rule.
//
// reported has the addresses of the status (StatusAddresses). It adds to the annotation, which is not written when a name
// gets an address that the rule has already.
func CarriedFrom(
	policy Policy, reported map[fqdn.Pattern][]netip.Addr, live []networkingv1.NetworkPolicy, dns DNS, now time.Time,
) Carried {
	c := Carried{Since: now, Rules: map[RuleKey]CarriedRule{}}
	today, owned := dns.rules(), ownersIn(policy, reported)
	for i := range live {
		index, ok := policy.indexOf(live[i].Name)
		if !ok || OwnershipOf(&live[i], policy.Identity) == Foreign {
			continue
		}
		object, owners := readObject(&live[i], index, today), ownersFrom(&live[i])
		for _, r := range object.specRules() {
			c.take(r.ports.Key, r.addrs, owners, owned)
		}
	}
	for key, r := range c.Rules {
		for p, addrs := range r.Of {
			r.Of[p] = sortedAddrs(addrs)
		}
		r.Unknown = sortedAddrs(r.Unknown)
		c.Rules[key] = r
	}
	return c
}

// ownersIn returns for whom each rule has addresses, as the status reports it.
func ownersIn(policy Policy, reported map[fqdn.Pattern][]netip.Addr) addressesFor {
	owners := addressesFor{}
	for _, r := range mergeRules(policy.Rules) {
		of := map[netip.Addr][]addressFor{}
		for _, p := range r.patterns {
			for _, a := range reported[p] {
				of[a] = append(of[a], addressFor{pattern: p})
			}
		}
		owners[r.ports.Key] = of
	}
	return owners
}

func (c *Carried) take(key RuleKey, addrs []netip.Addr, owners, reported addressesFor) {
	carried := c.Rules[key]
	for _, a := range addrs {
		if a.IsValid() {
			carried.add(a, owners.of(key, a))
			if names := reported.of(key, a); len(names) > 0 {
				carried.add(a, names)
			}
		}
	}
	if carried.len() > 0 {
		c.Rules[key] = carried
	}
}

func (r *CarriedRule) add(a netip.Addr, owners []addressFor) {
	if len(owners) == 0 {
		r.Unknown = append(r.Unknown, a)
	}
	for _, o := range owners {
		switch {
		case o.spec:
		case o == addressFor{}:
			r.Unknown = append(r.Unknown, a)
		default:
			if r.Of == nil {
				r.Of = map[fqdn.Pattern][]netip.Addr{}
			}
			r.Of[o.pattern] = append(r.Of[o.pattern], a)
		}
	}
}

// Covers tells whether every rule of the policy that lists names carried something, so that writing before any of them has
// answered takes nothing away.
func (c Carried) Covers(p Policy) bool {
	return !slices.ContainsFunc(mergeRules(p.Rules), func(r rule) bool {
		return len(r.patterns) > 0 && c.Rules[r.ports.Key].len() == 0
	})
}

// Has tells whether something was carried for p, answered since or not.
func (c Carried) Has(p fqdn.Pattern) bool {
	for _, r := range c.Rules {
		if len(r.Of[p]) > 0 {
			return true
		}
	}
	return false
}

// Held returns the patterns of the policy for which some rule of it carries addresses, or may: where nothing says whose an address
// is, it may be anyone's of the rule. They are in the order of the spec, and may repeat.
func (c Carried) Held(p Policy) []fqdn.Pattern {
	var held []fqdn.Pattern
	for _, r := range mergeRules(p.Rules) {
		carried := c.Rules[r.ports.Key]
		unlisted := slices.ContainsFunc(carried.Unknown, func(a netip.Addr) bool { return !r.blocks[a] })
		for _, pattern := range r.patterns {
			if unlisted || len(carried.Of[pattern]) > 0 {
				held = append(held, pattern)
			}
		}
	}
	return held
}

// still returns the part of c that is of use: addresses of rules and patterns that the spec has, and whose time is not over.
// An address that is due but lingers is not over as long as nothing is written.
func (c Carried) still(rules []RuleGrants, in *Input, now time.Time, nothingWritten bool) Carried {
	all := Carried{Since: c.Since}
	isOver := func(until time.Time) bool {
		if nothingWritten {
			until = until.Add(Linger)
		}
		return !until.After(now)
	}
	for i := range rules {
		r := &rules[i]
		carried, ok := c.Rules[r.Ports.Key]
		if !ok {
			continue
		}
		var still CarriedRule
		for _, p := range r.Patterns {
			if addrs := carried.Of[p]; len(addrs) > 0 && !isOver(c.untilFor(p, in.Names, in.MaxStale)) {
				if still.Of == nil {
					still.Of = make(map[fqdn.Pattern][]netip.Addr, len(carried.Of))
				}
				still.Of[p] = addrs
			}
		}
		if until, ok := c.until(r.Patterns, in.Names, in.MaxStale); ok && !isOver(until) {
			still.Unknown = carried.Unknown
		}
		if still.len() > 0 {
			if all.Rules == nil {
				all.Rules = make(map[RuleKey]CarriedRule, len(c.Rules))
			}
			all.Rules[r.Ports.Key] = still
		}
	}
	return all
}

// untilFor returns when the addresses that were carried for p are due to go: once p had a good answer in each family and
// its retention has passed since (and since it was seen), at most maxStale after it was seen. As long as a limit keeps
// addresses of p out it is maxStale: what is not known of p may be one of these.
//
//	p, retention 5 m                     carried addresses go
//	no answer yet                        24 h after they were seen
//	answered 2 s after they were seen    5 m 2 s after
//	... and cut by a limit of the tenant 24 h after
//	... no more, 1 h after               at once
//
// A wildcard has nothing to wait for but the observation of names: retention runs from Since; where no retention is known,
// the safe side is maxStale.
func (c Carried) untilFor(p fqdn.Pattern, names map[fqdn.Pattern]Name, maxStale time.Duration) time.Time {
	latest, answered := c.Since.Add(maxStale), c.Since // asked now, it may have been asked by others before
	n, known := names[p]
	switch {
	case !known, n.Limited, isExact(p) && n.Answered.IsZero(), !isExact(p) && n.Retention == 0:
		return latest
	case isExact(p) && n.Answered.After(answered):
		answered = n.Answered
	}
	if until := answered.Add(n.Retention); until.Before(latest) {
		return until
	}
	return latest
}

// until returns when the carried addresses of a rule go of which nothing says whose they are: when those of every pattern of
// the rule would have gone, for they may be anyone's. A rule without patterns carries nothing (ok is false): its addresses
// belonged to names that are no longer listed, so they go at once (invariant 9).
func (c Carried) until(patterns []fqdn.Pattern, names map[fqdn.Pattern]Name, maxStale time.Duration) (until time.Time, ok bool) {
	for _, p := range patterns {
		if end := c.untilFor(p, names, maxStale); end.After(until) {
			until = end
		}
	}
	return until, len(patterns) > 0 && !c.Since.IsZero()
}

func isExact(p fqdn.Pattern) bool {
	_, exact := p.Exact()
	return exact
}
