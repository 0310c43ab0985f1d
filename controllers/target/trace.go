// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"cmp"
	"context"
	"net/netip"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// Bounds of one log line: a container runtime splits lines after 16 KiB.
const (
	maxTraced      = 5 << 10 // bytes of what came, and again of what went
	maxTracedParts = 4       // names and sources of one group
)

// The reasons of a write, and of a block that came or went.
const (
	whyStart   = "start"   // the first look of this process at NetworkPolicies that it did not write
	whySpec    = "spec"    // a new policy, an edit, or a block that the spec lists itself
	whyRepair  = "repair"  // somebody else changed or deleted the object
	whyAnswers = "answers" // DNS
	whyCarried = "carried" // from before the start of this process
	whyDNSRule = "clusterDNS"
	whyRefused = "refused" // by the guard
)

// tracedGroup is what one log line says of the blocks that came or went for the same reason.
type tracedGroup struct {
	Why       string   `json:"why"`
	Ports     string   `json:"ports"` // "TCP/443"; "*" is all
	Names     []string `json:"names,omitempty"`
	Sources   []string `json:"sources,omitempty"`
	Addresses []string `json:"addresses"`
}

// trace logs one write: what it let through from now on, and what no more. It is the record for the question when an
// address was allowed and why; see docs/operations.md.
func (r *Reconciler) trace(
	ctx context.Context, in *situation, plan *netpol.Plan, verb netpol.Verb, c change, answer *networkingv1.NetworkPolicy,
) {
	t := tracer{book: r.book, in: in, plan: plan}
	ctrl.LoggerFrom(ctx).Info("Wrote NetworkPolicy", "networkPolicy", answer.Name, "verb", verb, "why", in.why,
		"generation", in.policy.Generation, "blocks", c.blocks,
		"added", len(c.came), "removed", len(c.went), "came", t.groups(c.came, t.cameFor), "went", t.groups(c.went, t.wentFor))
}

// tracer finds out for whom a block came or went.
type tracer struct {
	book Book
	in   *situation
	plan *netpol.Plan
}

// groups gathers blocks that are told alike. What exceeds maxTraced is left out; the line counts it all the same.
func (t tracer) groups(blocks []block, explain func(block) tracedGroup) []tracedGroup {
	groups, size := []tracedGroup{}, 0 // [] in the log, not null
	for _, b := range blocks {
		g := explain(b)
		g.Ports = cmp.Or(string(b.ports), "*")
		i := slices.IndexFunc(groups, g.alike)
		if size += len(b.cidr); i < 0 {
			size += g.size()
		}
		if size > maxTraced {
			break
		}
		if i < 0 {
			i, groups = len(groups), append(groups, g)
		}
		groups[i].Addresses = append(groups[i].Addresses, addressOf(b.cidr))
	}
	return groups
}

func (g *tracedGroup) alike(o tracedGroup) bool {
	return o.Why == g.Why && o.Ports == g.Ports && slices.Equal(o.Names, g.Names) && slices.Equal(o.Sources, g.Sources)
}

// size is about how many bytes a group without addresses takes.
func (g *tracedGroup) size() int {
	n := len(`{"why":"","ports":"","names":[],"sources":[],"addresses":[]},`) + len(g.Why) + len(g.Ports)
	for _, s := range slices.Concat(g.Names, g.Sources) {
		n += len(s)
	}
	return n
}

// cameFor explains a block that is allowed from now on.
func (t tracer) cameFor(b block) tracedGroup {
	addr, single := singleAddress(b.cidr)
	if !single {
		return tracedGroup{Why: whySpec}
	}
	var names, carriedFor, sources []string
	for _, e := range t.in.snapshot.Patterns {
		if !t.listed(e.Pattern, b.ports) {
			continue
		}
		if contains(t.plan.CarriedFor[e.Pattern], addr) {
			carriedFor = append(carriedFor, e.Pattern.String())
		}
		if !contains(t.plan.Allowed[e.Pattern], addr) {
			continue
		}
		names = append(names, e.Pattern.String())
		if name, exact := e.Pattern.Exact(); exact {
			for _, s := range t.book.Holders(addressbook.Subject{View: viewOf(t.in.policy), Name: name}, addr) {
				sources = append(sources, string(s))
			}
		}
	}
	switch {
	case len(names) > 0:
		return tracedGroup{Why: whyAnswers, Names: firstFew(names), Sources: firstFew(sources)}
	case t.isDNS(addr):
		return tracedGroup{Why: whyDNSRule}
	case len(carriedFor) > 0:
		return tracedGroup{Why: whyCarried, Names: firstFew(carriedFor)}
	case contains(t.plan.Carried, addr):
		return tracedGroup{Why: whyCarried}
	}
	return tracedGroup{Why: whySpec}
}

// wentFor explains a block that is not allowed any more. The book still has an address that DNS or the guard took away; of one
// that the spec took away, the last status tells the name.
func (t tracer) wentFor(b block) tracedGroup {
	addr, single := singleAddress(b.cidr)
	if !single {
		return tracedGroup{Why: t.in.why}
	}
	g := tracedGroup{Why: whyAnswers}
	for _, e := range t.in.snapshot.Patterns {
		if holdsAddress(e.Addresses, addr) && t.listed(e.Pattern, b.ports) {
			g.Names = append(g.Names, e.Pattern.String())
			if slices.ContainsFunc(t.plan.Refused[e.Pattern], func(r netpol.Refusal) bool { return r.Addr.Unmap() == addr }) {
				g.Why = whyRefused
			}
		}
	}
	switch {
	case len(g.Names) > 0:
	case t.isDNS(addr):
		g.Why = whyDNSRule
	default:
		g.Why = t.in.why
		for _, s := range t.in.policy.Status.FQDNs {
			if slices.Contains(s.Addresses, addr.String()) {
				g.Names = append(g.Names, s.FQDN)
			}
		}
	}
	g.Names = firstFew(g.Names)
	return g
}

// listed tells whether a rule of the spec with these ports lists the pattern.
func (t tracer) listed(p fqdn.Pattern, ports netpol.RuleKey) bool {
	for i := range t.in.policy.Spec.Egress {
		rule := &t.in.policy.Spec.Egress[i]
		if netpol.KeyOfSpec(rule.Ports) != ports {
			continue
		}
		for _, peer := range rule.To {
			if q, err := fqdn.ParsePattern(string(peer.FQDN)); err == nil && q == p {
				return true
			}
		}
	}
	return false
}

func (t tracer) isDNS(addr netip.Addr) bool {
	return slices.Contains(t.in.dns.ClusterIPs, addr) || slices.Contains(t.in.dns.Extra, addr)
}

// contains tells whether the sorted addrs have addr.
func contains(addrs []netip.Addr, addr netip.Addr) bool {
	_, found := slices.BinarySearchFunc(addrs, addr, netip.Addr.Compare)
	return found
}

func holdsAddress(addrs []addressbook.Address, addr netip.Addr) bool {
	return slices.ContainsFunc(addrs, func(a addressbook.Address) bool { return a.Addr.Unmap() == addr })
}

func singleAddress(cidr string) (netip.Addr, bool) {
	p, err := netip.ParsePrefix(cidr)
	return p.Addr(), err == nil && p.IsSingleIP()
}

// addressOf writes a block of one address as that address.
func addressOf(cidr string) string {
	if a, single := singleAddress(cidr); single {
		return a.String()
	}
	return cidr
}

// firstFew sorts, and cuts to what one group holds.
func firstFew(parts []string) []string {
	slices.Sort(parts)
	parts = slices.Compact(parts)
	return parts[:min(len(parts), maxTracedParts)]
}
