// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"net/netip"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// object is a NetworkPolicy as it should be.
type object struct {
	rules []RuleGrants // its egress rules; one that would have no peer is left out
	leads int          // how many of them are the DNS rules, which come first
}

// render gives each object its rules: the DNS rules and the ordinary peers of the spec to the first, the addresses as they
// are placed. nil is an object that should not be there. The first is there whenever the policy is enforced, even without a
// rule: then its pods reach nothing.
func render(w *wanted, placed placement) []*object {
	objects := make([]*object, 1, 2)
	objects[0] = &object{rules: slices.Clip(w.DNS), leads: len(w.DNS)}
	at := placed.object
	for i := range w.Rules {
		r := &w.Rules[i]
		parts := split(r.Names, at[:len(r.Names)])
		at = at[len(r.Names):]
		for n, names := range parts {
			part := RuleGrants{Ports: r.Ports, Names: names}
			if n == 0 {
				part.Spec = r.Spec
			}
			if len(part.Spec) == 0 && len(part.Names) == 0 {
				continue
			}
			for len(objects) <= n {
				objects = append(objects, nil)
			}
			if objects[n] == nil {
				objects[n] = &object{}
			}
			objects[n].rules = append(objects[n].rules, part)
		}
	}
	return objects
}

// split parts the grants of a rule by the objects that they are placed in. There is a part for the first object at least.
func split(names []Grant, objects []int) [][]Grant {
	if !slices.ContainsFunc(objects, func(n int) bool { return n != 0 }) {
		return [][]Grant{names}
	}
	sizes := make([]int, 1+max(0, slices.Max(objects)))
	for _, n := range objects {
		if n != leftOut {
			sizes[n]++
		}
	}
	parts := make([][]Grant, len(sizes))
	for n, size := range sizes {
		parts[n] = make([]Grant, 0, size)
	}
	for i, n := range objects {
		if n != leftOut {
			parts[n] = append(parts[n], names[i])
		}
	}
	return parts
}

// isAsWanted tells whether there is nothing to do about an object: have.np is nil where there is none, want where there should
// be none. One that should go and is deleted already only waits for somebody's finalizer. The annotation does not count:
// it changes with every answer that moves an address between names, and no pod's traffic depends on it.
func isAsWanted(have liveObject, want *object, p *Policy) bool {
	switch np := have.np; {
	case np == nil:
		return want == nil
	case want == nil:
		return np.DeletionTimestamp != nil
	default:
		return p.isLabelled(np) &&
			slices.EqualFunc(np.OwnerReferences, p.ownerReferences(np.OwnerReferences), equalReferences) &&
			isEgressOnly(&np.Spec) &&
			slices.EqualFunc(have.rules, want.rules, liveRule.is) &&
			equalSelectors(&np.Spec.PodSelector, &p.PodSelector)
	}
}

func isEgressOnly(spec *networkingv1.NetworkPolicySpec) bool {
	return len(spec.PolicyTypes) == 1 && spec.PolicyTypes[0] == networkingv1.PolicyTypeEgress && len(spec.Ingress) == 0
}

// is tells whether a live rule is what egress would write, by meaning: how an address is spelled is no difference, nor is an
// endPort that repeats the port.
func (l liveRule) is(want RuleGrants) bool {
	if !slices.EqualFunc(l.rule.Ports, want.Ports.List, equalPorts) {
		return false
	}
	n := 0
	for _, grants := range [][]Grant{want.Spec, want.Names} {
		for i := range grants {
			g := &grants[i]
			if g.Listed {
				continue
			}
			if n == len(l.addrs) || l.addrs[n] != g.Addr || g.Peer != nil && !equalPeers(&l.rule.To[n], g.Peer) {
				return false
			}
			n++
		}
	}
	return n == len(l.addrs)
}

// specOf writes an object in the form that the API server returns. It shares no memory with anything.
func specOf(o *object, podSelector *metav1.LabelSelector) *networkingv1.NetworkPolicySpec {
	return &networkingv1.NetworkPolicySpec{
		PodSelector: *podSelector.DeepCopy(),
		Egress:      egressOf(o.rules),
		// Written out, for left to the API server's default it would be Ingress.
		PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
	}
}

// egressOf never writes an empty ` + "`to`" + `, which would allow every destination.
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

// created returns a new object.
func created(p *Policy, name string, spec *networkingv1.NetworkPolicySpec, addresses string) *networkingv1.NetworkPolicy {
	np := &networkingv1.NetworkPolicy{Spec: *spec}
	np.Name, np.Namespace = name, p.Namespace
	np.Labels = p.labels(nil)
	np.Annotations = withAddresses(nil, addresses)
	np.OwnerReferences = p.ownerReferences(nil)
	return np
}

// updated returns the live object with our spec, labels, annotation and owner reference.
func updated(p *Policy, np *networkingv1.NetworkPolicy, spec *networkingv1.NetworkPolicySpec, addresses string) *networkingv1.NetworkPolicy {
	out := &networkingv1.NetworkPolicy{TypeMeta: np.TypeMeta, Spec: *spec}
	np.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	out.Labels = p.labels(out.Labels)
	out.Annotations = withAddresses(out.Annotations, addresses)
	out.OwnerReferences = p.ownerReferences(out.OwnerReferences)
	return out
}

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
