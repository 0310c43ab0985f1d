// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"net/netip"
	"slices"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// Carried is what a policy's NetworkPolicies carried when this process saw them first (invariant 4 in docs/concepts.md), or when
// others began to be asked for the policy's names. The zero value carries nothing.
type Carried struct {
	// Since is when they were seen.
	Since time.Time
	// Rules has the addresses that each rule carried, sorted and distinct.
	Rules map[RuleKey][]netip.Addr
}

// CarriedFrom reads what each rule of the live objects carries: only /32 and /128 blocks, and never the DNS rule's. Of
// live it reads the objects that have a name that we generate and our label or controller owner reference; the caller
// passes those that are Ours or Adoptable for the policy. dns is what is known of the cluster DNS now (see withoutDNS).
//
// Single addresses that the spec itself lists as ipBlocks are among them; Compile does not count these while the spec
// lists them in the same rule.
func CarriedFrom(live []networkingv1.NetworkPolicy, dns DNS, now time.Time) Carried {
	c := Carried{Since: now, Rules: map[RuleKey][]netip.Addr{}}
	today := dns.rules()
	for i := range live {
		_, index, ok := parseObjectName(live[i].Name)
		if !ok || !isMarked(&live[i]) {
			continue
		}
		for _, r := range specRules(&live[i], index, today) {
			c.take(&r)
		}
	}
	for key, addrs := range c.Rules {
		slices.SortFunc(addrs, netip.Addr.Compare)
		c.Rules[key] = slices.Compact(addrs)
	}
	return c
}

func (c *Carried) take(r *networkingv1.NetworkPolicyEgressRule) {
	_, key := canonicalPorts(r.Ports)
	for i := range r.To {
		if a, ok := singleAddress(&r.To[i]); ok {
			c.Rules[key] = append(c.Rules[key], a)
		}
	}
}

// isMarked tells whether np says that it belongs to a policy.
func isMarked(np *networkingv1.NetworkPolicy) bool {
	controller := metav1.GetControllerOfNoCopy(np)
	if controller == nil {
		return np.Labels[LabelPolicy] != ""
	}
	return isPolicyRef(controller)
}

// specRules returns the egress rules of a live object without the DNS rules.
func specRules(np *networkingv1.NetworkPolicy, index int, today []networkingv1.NetworkPolicyEgressRule) []networkingv1.NetworkPolicyEgressRule {
	if index > 0 {
		return np.Spec.Egress // the DNS rules stand in the first object only
	}
	return withoutDNS(np.Spec.Egress, today)
}

// Covers tells whether every rule of the spec that lists names carried something, so that writing before any of them has
// answered takes nothing away.
func (c Carried) Covers(spec *v1alpha1.FQDNEgressPolicySpec) bool {
	return !slices.ContainsFunc(rulesOf(spec.Egress), func(r rule) bool {
		return len(r.patterns) > 0 && len(c.Rules[r.key]) == 0
	})
}

// carriedLeft returns what was carried for rules that the spec has and is not over. What is due but lingers is not over as
// long as nothing is written.
func (c *compilation) carriedLeft(nothingWritten bool) Carried {
	left := Carried{Since: c.in.Carried.Since, Rules: map[RuleKey][]netip.Addr{}}
	for i := range c.rules {
		r := &c.rules[i]
		until, ok := c.in.Carried.until(r, c.in.Names, c.in.MaxStale)
		if nothingWritten {
			until = until.Add(Linger)
		}
		if addrs := c.in.Carried.Rules[r.key]; ok && len(addrs) > 0 && until.After(c.now) {
			left.Rules[r.key] = addrs
		}
	}
	return left
}

// until returns when what was carried for r is due to go: once every exact name had a good answer in each family and
// retention has passed since (and since it was seen), at most maxStale after it was seen. The longest retention of the rule's entries counts.
//
// A rule with wildcards only has nothing to wait for but the observation of names: retention runs from Since; where no
// retention is known, the safe side is maxStale. A rule without any name or pattern carries nothing (ok is false): no
// answer can have brought its addresses, so they are what is left of names that were taken out (invariant 9).
func (c Carried) until(r *rule, names map[fqdn.Pattern]Name, maxStale time.Duration) (until time.Time, ok bool) {
	if len(r.patterns) == 0 || c.Since.IsZero() {
		return time.Time{}, false
	}
	limit := c.Since.Add(maxStale)
	answered := c.Since // at the earliest: those who are asked now may have been asked by others before
	var retention time.Duration
	for _, p := range r.patterns {
		n, known := names[p]
		if !known || isExact(p) && n.Answered.IsZero() {
			return limit, true
		}
		if isExact(p) && n.Answered.After(answered) {
			answered = n.Answered
		}
		retention = max(retention, n.Retention)
	}
	if retention == 0 && !slices.ContainsFunc(r.patterns, isExact) {
		return limit, true
	}
	until = answered.Add(retention)
	if until.After(limit) {
		until = limit
	}
	return until, true
}

func isExact(p fqdn.Pattern) bool {
	_, exact := p.Exact()
	return exact
}
