// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
)

// tableName is the table that is the enforcer's own; it touches no other.
const tableName = "fqdn_egress_e2e"

// baseChain says where packets enter. nft changes no base chain: a build that changes this must delete the table first.
const baseChain = "type filter hook forward priority -5; policy accept;"

// verdict is what becomes of a packet that no policy allows.
type verdict string

const (
	drop   verdict = "drop"
	reject verdict = "reject" // answered by ICMP: the client fails at once
)

// compile says in nft's language what the policies mean, the same text for the same state in any order. What they do not
// allow meets the verdict block.
//
// Every chain but forward is entered by goto, or by jump from the chain of a pod, and none returns from a packet that a
// policy allows: a policy's egress rule goes on to the chain ingress, its ingress rule accepts. So the chain of a pod
// is a list of policies with the verdict block at the end.
//
// The way to it is a rule for each address. A verdict map would be shorter, but the kernel takes the elements of a map
// that is being replaced away from packets that still follow the old rules, and who finds none passes.
func compile(s state, block verdict) (string, error) {
	c := read(s)
	c.block = block
	out, err := c.judge(egress())
	if err != nil {
		return "", err
	}
	in, err := c.judge(ingress())
	if err != nil {
		return "", err
	}
	forward := chain{name: "forward", lines: slices.Concat([]string{
		baseChain,
		"ct state established,related accept",
		// A bridge hands these to the forward hook too, and conntrack leaves them untracked.
		"icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept",
	}, out.dispatch, []string{"goto ingress"})}
	arrive := chain{name: "ingress", lines: append(in.dispatch, "accept")}

	var b strings.Builder
	fmt.Fprintf(&b, "table inet %s {\n", tableName)
	for _, ch := range slices.Concat([]chain{forward, arrive}, out.pods, in.pods, out.policies, in.policies) {
		ch.writeTo(&b)
	}
	b.WriteString("}\n")
	return b.String(), nil
}

// judged is what judges one direction.
type judged struct {
	dispatch []string // the lines that send a packet of an isolated pod to the chain of that pod
	pods     []chain  // one for each isolated pod
	policies []chain  // one for each policy that selects a pod
}

// judge compiles what the policies say of direction d.
func (c *cluster) judge(d direction) (judged, error) {
	var j judged
	jumps := map[podKey][]string{}
	for _, p := range c.policies {
		rules, isolates := d.rules(&p.Spec)
		if !isolates {
			continue
		}
		selected, err := c.selectPods(p.Namespace, nil, &p.Spec.PodSelector)
		if err != nil {
			return judged{}, fmt.Errorf("policy %s/%s: %w", p.Namespace, p.Name, err)
		}
		if len(selected) == 0 {
			continue
		}
		ch := chain{name: chainName("policy", p.Namespace, p.Name, d.name)}
		if ch.lines, err = c.allow(d, rules, p.Namespace, selected); err != nil {
			return judged{}, fmt.Errorf("policy %s/%s: %w", p.Namespace, p.Name, err)
		}
		j.policies = append(j.policies, ch)
		for _, s := range selected {
			jumps[s.podKey] = append(jumps[s.podKey], "jump "+ch.name)
		}
	}
	for _, p := range c.pods {
		if len(jumps[p.podKey]) == 0 {
			continue
		}
		ch := chain{name: chainName("pod", p.namespace, p.name, d.name), lines: append(jumps[p.podKey], "counter "+string(c.block))}
		j.pods = append(j.pods, ch)
		for _, a := range p.addrs {
			j.dispatch = append(j.dispatch, fmt.Sprintf("%s %s %s goto %s", family(a), d.own, a, ch.name))
		}
	}
	return j, nil
}

// allow gives the lines that let through what one of the rules allows.
func (c *cluster) allow(d direction, rules []rule, namespace string, selected []pod) (lines []string, err error) {
	targets := selected
	if d.peersListen {
		targets = c.pods
	}
	for i, r := range rules {
		peers, err := c.matchPeers(r.peers, namespace, d.peer)
		if err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", d.name, i, err)
		}
		for _, peer := range peers {
			for _, port := range matchPorts(r.ports, targets) {
				if m, possible := peer.and(port); possible {
					lines = append(lines, fmt.Sprintf("%s comment \"%s[%d]\"", m.then(d.allowed), d.name, i))
				}
			}
		}
	}
	return lines, nil
}

// match is a condition on packets of one family, or of both.
type match struct {
	family string // empty for both
	text   string // empty for all packets
}

// and is both conditions; not possible if they are on different families.
func (m match) and(other match) (both match, possible bool) {
	if m.family != "" && other.family != "" && m.family != other.family {
		return match{}, false
	}
	return match{family: cmp.Or(m.family, other.family), text: strings.TrimSpace(m.text + " " + other.text)}, true
}

func (m match) then(verdict string) string { return strings.TrimSpace(m.text + " " + verdict) }

// families are those of nft that an address can have.
func families() []string { return []string{"ip", "ip6"} }

func family(a netip.Addr) string {
	if a.Is4() {
		return "ip"
	}
	return "ip6"
}

// direction is what differs between egress and ingress.
type direction struct {
	name        string
	own, peer   string // which address of the packet is the selected pod's, and which the peer's
	allowed     string // the verdict on what a rule allows
	peersListen bool   // named ports are those of the peers, not of the selected pods
	rules       func(*networkingv1.NetworkPolicySpec) (rules []rule, isolates bool)
}

func egress() direction {
	return direction{
		name: "egress", own: "saddr", peer: "daddr", allowed: "goto ingress", peersListen: true, rules: egressRules,
	}
}

func ingress() direction {
	return direction{name: "ingress", own: "daddr", peer: "saddr", allowed: "accept", rules: ingressRules}
}
