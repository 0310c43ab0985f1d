// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// Guard says which addresses of answers may become peers. Whoever runs the zone of a listed name chooses its answers;
// the guard is what keeps such a person out of the cluster, of the nodes and of the platform's metadata services.
type Guard struct {
	// Cluster has the Service range and --cluster-cidrs: never.
	Cluster []netip.Prefix
	// AllowedPrivate has the policy's allowedPrivateCIDRs. It opens private space (RFC 1918, RFC 6598, RFC 4193) and nothing
	// else.
	AllowedPrivate []netip.Prefix
	// NAT64 has the prefixes by which the network's own gateways translate to IPv4, for which CheckNAT64 has no error. The
	// IPv4 address inside counts: the prefix itself may be private space. Others are passed over.
	NAT64 []netip.Prefix
}

// Admit returns the address to write for an address of an answer, or why it is refused and what to write instead, in words for
// a person, at most 256 bytes.
//
// An IPv4-mapped address is the address that it wraps: sockets send IPv4 packets to it, and it is written so. One that a
// gateway translates to IPv4 (NAT64, 6to4, Teredo, SIIT) must pass in both forms and is written as it is, for so the pod's
// packets carry it. Documentation and benchmarking ranges are ordinary.
func (g Guard) Admit(a netip.Addr) (peer netip.Addr, refused string) {
	if !a.IsValid() {
		return netip.Addr{}, "not an address"
	}
	if a.Zone() != "" {
		return netip.Addr{}, "address with a zone, which means nothing on another host: correct the DNS record"
	}
	peer = a.Unmap()
	inside := g.embedded(peer)
	if refused = g.screen(peer, peer, len(inside) > 0 && inside[0].own); refused != "" {
		return netip.Addr{}, refused
	}
	for _, in := range inside {
		if refused = g.screen(in.addr, peer, false); refused != "" {
			return netip.Addr{}, fmt.Sprintf("leads to %s by %s: %s", in.addr, in.mechanism, refused)
		}
	}
	return peer, ""
}

// answer has the addresses of a pattern as the guard left them.
type answer struct {
	addresses []Address // as they are written
	refused   []Refusal // sorted, distinct
}

// admitted shows the addresses of all patterns to the guard, each once.
func admitted(g Guard, rules []rule, names map[fqdn.Pattern]Name) map[fqdn.Pattern]answer {
	answers := make(map[fqdn.Pattern]answer, len(names))
	for i := range rules {
		for _, p := range rules[i].patterns {
			if _, done := answers[p]; !done {
				answers[p] = admit(g, names[p].Addresses)
			}
		}
	}
	return answers
}

// admit shares the memory of addresses if the guard takes all of them as they are, which is the usual case.
func admit(g Guard, addresses []Address) answer {
	a := answer{addresses: addresses}
	shared := true
	for i := range addresses {
		peer, refused := g.Admit(addresses[i].Addr)
		if shared && (refused != "" || peer != addresses[i].Addr) {
			a.addresses, shared = append(make([]Address, 0, len(addresses)), addresses[:i]...), false
		}
		switch {
		case refused != "":
			a.refused = append(a.refused, Refusal{Addr: addresses[i].Addr, Reason: refused})
		case !shared:
			written := addresses[i]
			written.Addr = peer
			a.addresses = append(a.addresses, written)
		}
	}
	slices.SortFunc(a.refused, func(a, b Refusal) int { return a.Addr.Compare(b.Addr) })
	a.refused = slices.Compact(a.refused)
	return a
}
