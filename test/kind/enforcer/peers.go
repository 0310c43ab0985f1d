// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/netip"

	networkingv1 "k8s.io/api/networking/v1"
)

// matchPeers gives the conditions of which one must hold: none are nobody's, the empty one is everybody's. The pods of
// a rule and its blocks without exceptions become one set of each family.
func (c *cluster) matchPeers(peers []networkingv1.NetworkPolicyPeer, namespace, side string) ([]match, error) {
	if len(peers) == 0 {
		return []match{{}}, nil
	}
	var prefixes []netip.Prefix
	var excepting []match
	for _, peer := range peers {
		if peer.IPBlock == nil {
			pods, err := c.selectPods(namespace, peer.NamespaceSelector, peer.PodSelector)
			if err != nil {
				return nil, err
			}
			prefixes = append(prefixes, hosts(pods)...)
			continue
		}
		block, except, err := parseBlock(peer.IPBlock)
		if err != nil {
			return nil, err
		}
		if len(except) == 0 {
			prefixes = append(prefixes, block)
			continue
		}
		f := family(block.Addr())
		excepting = append(excepting, match{
			family: f,
			text:   fmt.Sprintf("%[1]s %[2]s %[3]s %[1]s %[2]s != { %[4]s }", f, side, block, list(except)),
		})
	}
	return append(matchAddrs(prefixes, side), excepting...), nil
}

// matchAddrs gives a condition for each family that is among the prefixes.
func matchAddrs(prefixes []netip.Prefix, side string) (matches []match) {
	for _, f := range families() {
		var own []netip.Prefix
		for _, p := range prefixes {
			if family(p.Addr()) == f {
				own = append(own, p)
			}
		}
		if len(own) > 0 {
			matches = append(matches, match{family: f, text: fmt.Sprintf("%s %s { %s }", f, side, list(own))})
		}
	}
	return matches
}

// parseBlock reads a block; the API server let no other in.
func parseBlock(b *networkingv1.IPBlock) (block netip.Prefix, except []netip.Prefix, err error) {
	if block, err = netip.ParsePrefix(b.CIDR); err != nil {
		return netip.Prefix{}, nil, err
	}
	for _, e := range b.Except {
		p, err := netip.ParsePrefix(e)
		if err != nil {
			return netip.Prefix{}, nil, err
		}
		except = append(except, p)
	}
	return block.Masked(), except, nil
}

// hosts are the addresses of pods.
func hosts(pods []pod) (prefixes []netip.Prefix) {
	for _, p := range pods {
		for _, a := range p.addrs {
			prefixes = append(prefixes, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	return prefixes
}
