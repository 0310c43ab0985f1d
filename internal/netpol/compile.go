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

// Compile decides what to write. In mode Audit it deletes what is ours, and still says what would be allowed.
//
// What one update of one object does is atomic; what takes several objects is not. A change of the pod selector of a
// policy with several objects therefore leaves, between its steps, pods that only some of them select.
func Compile(in Input, now time.Time) Plan {
	c := read(in.withDefaults(), now)
	if in.Policy.Audit {
		return c.plan(c.want(false))
	}
	w := c.want(true)
	plan := c.plan(w)
	if w.lingering && (len(plan.Steps) > 0 || plan.LeftOut > 0) {
		// Something is written anyway, or the room is needed: what lingers goes along.
		return c.plan(c.want(false))
	}
	return plan
}

// compilation is the input as read.
type compilation struct {
	in     Input
	now    time.Time
	rules  []rule
	dns    []networkingv1.NetworkPolicyEgressRule // none with clusterDNS Omit
	live   *live
	judged map[fqdn.Pattern]judged
}

// judged is what the guard made of the addresses of a pattern.
type judged struct {
	addresses []Address // as they are written
	refused   []Refusal // sorted, distinct
}

func read(in Input, now time.Time) *compilation {
	c := &compilation{in: in, now: now, rules: mergeRules(in.Policy.Rules)}
	today := in.DNS.rules()
	if in.Policy.ClusterDNS {
		c.dns = today
	}
	c.live = readLive(&c.in, c.rules, today)
	if in.Policy.Audit {
		clear(c.live.foreign) // no name is needed
	}
	c.judged = map[fqdn.Pattern]judged{}
	for i := range c.rules {
		for _, p := range c.rules[i].patterns {
			if _, done := c.judged[p]; !done {
				c.judged[p] = judge(in.Guard, in.Names[p].Addresses)
			}
		}
	}
	return c
}

func judge(g Guard, addresses []Address) judged {
	j := judged{addresses: make([]Address, 0, len(addresses))}
	for _, a := range addresses {
		peer, refused := g.Admit(a.Addr)
		if refused != "" {
			j.refused = append(j.refused, Refusal{Addr: a.Addr, Reason: refused})
			continue
		}
		a.Addr = peer
		j.addresses = append(j.addresses, a)
	}
	slices.SortFunc(j.refused, func(a, b Refusal) int { return a.Addr.Compare(b.Addr) })
	j.refused = slices.Compact(j.refused)
	return j
}

// plan carries w through.
func (c *compilation) plan(w *wanted) Plan {
	plan := Plan{LeftOut: c.place(w.peers), Next: w.next}
	specs := c.specs(w.peers)
	plan.Steps = c.steps(specs, w.peers)
	for i := range specs {
		name := c.in.Policy.ObjectName(i)
		switch {
		case c.live.foreign[i] && (i == 0 || plan.LeftOut > 0):
			plan.Conflicts = append(plan.Conflicts, name)
		case specs[i] != nil && !c.live.foreign[i]:
			plan.Objects = append(plan.Objects, name)
		}
	}
	c.report(&plan, w.peers)
	plan.StillCarried = c.stillCarried(len(plan.Steps) == 0)
	return plan
}

// report says what is written for what.
func (c *compilation) report(plan *Plan, peers []peer) {
	plan.Allowed, plan.CarriedFor = map[fqdn.Pattern][]netip.Addr{}, map[fqdn.Pattern][]netip.Addr{}
	written := make([]netip.Addr, 0, len(peers))
	for i := range peers {
		p := &peers[i]
		if p.object == leftOut || c.live.foreign[p.object] {
			continue
		}
		written = append(written, p.addr)
		if p.claims[0].isUnknown() {
			plan.Carried = append(plan.Carried, p.addr)
		}
		for _, cl := range p.claims {
			switch {
			case !cl.carried:
				plan.Allowed[cl.pattern] = append(plan.Allowed[cl.pattern], p.addr)
			case !cl.isUnknown():
				plan.CarriedFor[cl.pattern] = append(plan.CarriedFor[cl.pattern], p.addr)
			}
		}
	}
	plan.settleClaims()
	plan.AddressCount = len(sortedAddrs(written))
	plan.Refused = map[fqdn.Pattern][]Refusal{}
	for pattern, j := range c.judged {
		if len(j.refused) > 0 {
			plan.Refused[pattern] = j.refused
		}
	}
}

// settleClaims sorts what is allowed and carried. What a name has by an answer counts as allowed alone.
func (p *Plan) settleClaims() {
	for pattern, addrs := range p.Allowed {
		p.Allowed[pattern] = sortedAddrs(addrs)
	}
	for pattern, addrs := range p.CarriedFor {
		if addrs = lacking(sortedAddrs(addrs), p.Allowed[pattern]); len(addrs) > 0 {
			p.CarriedFor[pattern] = addrs
		} else {
			delete(p.CarriedFor, pattern)
		}
	}
	p.Carried = sortedAddrs(p.Carried)
}

// lacking takes out of addrs, in place, what sorted has.
func lacking(addrs, sorted []netip.Addr) []netip.Addr {
	return slices.DeleteFunc(addrs, func(a netip.Addr) bool {
		_, found := slices.BinarySearchFunc(sorted, a, netip.Addr.Compare)
		return found
	})
}

// sortedAddrs sorts in place and removes repeats.
func sortedAddrs(addrs []netip.Addr) []netip.Addr {
	slices.SortFunc(addrs, netip.Addr.Compare)
	return slices.Compact(addrs)
}
