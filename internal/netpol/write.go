// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"net/netip"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// step writes a change, with the grants of bridge besides.
func (ch *change) step(p *Policy, bridge []Grant) Step {
	if ch.want == nil {
		return Step{Verb: Delete, Object: ch.have.np.DeepCopy()}
	}
	addresses := annotationOf(ch.want)
	np, verb := &networkingv1.NetworkPolicy{}, Create
	if ch.have.np != nil {
		verb, np.TypeMeta = Update, ch.have.np.TypeMeta
		ch.have.np.ObjectMeta.DeepCopyInto(&np.ObjectMeta)
	}
	np.Name, np.Namespace = ch.name, p.Namespace
	np.Spec = specOf(ch.want.with(bridge), &p.PodSelector)
	np.Annotations = withAddresses(np.Annotations, addresses)
	p.mark(np)
	return Step{Verb: verb, Object: np}
}

// with returns an object that allows the grants of bridge too. It adds them to the rule of the same ports, for a second rule
// of these would be taken for the DNS rule if a new process had to read the object as it is in between (see dnsLeads).
func (o *object) with(bridge []Grant) *object {
	out := &object{rules: slices.Clone(o.rules), leads: o.leads}
	for _, g := range bridge {
		g.Listed = false // in another object
		same := func(r RuleGrants) bool { return r.Ports.Key == g.Ports.Key }
		if i := slices.IndexFunc(out.rules[o.leads:], same); i >= 0 {
			r := &out.rules[o.leads+i]
			r.Names = append(slices.Clip(r.Names), g)
		} else {
			out.rules = append(out.rules, RuleGrants{Ports: *g.Ports, Names: []Grant{g}})
		}
	}
	return out
}

// specOf writes an object in the form that the API server returns. It shares no memory with anything.
func specOf(o *object, podSelector *metav1.LabelSelector) networkingv1.NetworkPolicySpec {
	return networkingv1.NetworkPolicySpec{
		PodSelector: *podSelector.DeepCopy(),
		Egress:      egressOf(o.rules),
		// Written out, for left to the API server's default it would be Ingress.
		PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
	}
}

// egressOf never writes an empty `to`, which would allow every destination.
func egressOf(rules []RuleGrants) []networkingv1.NetworkPolicyEgressRule {
	var egress []networkingv1.NetworkPolicyEgressRule
	for i := range rules {
		if to := peersOf(&rules[i]); len(to) > 0 {
			ports, _ := canonicalPorts(rules[i].Ports.List) // a copy
			egress = append(egress, networkingv1.NetworkPolicyEgressRule{Ports: ports, To: to})
		}
	}
	return egress
}

// peersOf writes the peers of a rule: those of the spec, then the addresses. All blocks stand in one piece of memory.
func peersOf(r *RuleGrants) []networkingv1.NetworkPolicyPeer {
	peers := make([]networkingv1.NetworkPolicyPeer, 0, len(r.Spec)+len(r.Names))
	blocks := make([]networkingv1.IPBlock, 0, cap(peers)) // never grows: peers point into it
	for _, grants := range [][]Grant{r.Spec, r.Names} {
		for i := range grants {
			g := &grants[i]
			switch {
			case g.Listed:
			case g.Peer != nil:
				peers = append(peers, *g.Peer.DeepCopy())
			case g.Addr.IsValid():
				blocks = append(blocks, networkingv1.IPBlock{CIDR: cidrOf(g.Addr)})
				peers = append(peers, networkingv1.NetworkPolicyPeer{IPBlock: &blocks[len(blocks)-1]})
			}
		}
	}
	return peers
}

func cidrOf(a netip.Addr) string { return netip.PrefixFrom(a, a.BitLen()).String() }

// withAddresses returns the annotations with ours, and without it where there is nothing to say. It may change all.
func withAddresses(all map[string]string, addresses string) map[string]string {
	if addresses == "" {
		delete(all, AnnotationAddresses)
		return all
	}
	if all == nil {
		all = make(map[string]string, 1)
	}
	all[AnnotationAddresses] = addresses
	return all
}
