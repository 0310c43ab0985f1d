// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// specs returns the spec that each object should have, nil for one that should not be there. The first is there whenever
// the policy is enforced, even without a rule: then its pods reach nothing. In mode Audit there is none.
func (c *compilation) specs(peers []peer) []*networkingv1.NetworkPolicySpec {
	specs := make([]*networkingv1.NetworkPolicySpec, c.in.MaxObjects)
	if c.in.Policy.Audit {
		return specs
	}
	specs[0] = c.emptySpec()
	specs[0].Egress = append(specs[0].Egress, c.dns...)
	to := make([][]networkingv1.NetworkPolicyPeer, c.in.MaxObjects)
	for i := range c.rules {
		r := &c.rules[i]
		clear(to)
		to[0] = slices.Clone(r.ordinary)
		for ; len(peers) > 0 && peers[0].rule == i; peers = peers[1:] {
			if p := &peers[0]; p.object != leftOut && !p.listed {
				to[p.object] = append(to[p.object], addressPeer(p.addr))
			}
		}
		for object, peers := range to {
			if len(peers) == 0 {
				continue // never an empty `to`, which would allow every destination
			}
			if specs[object] == nil {
				specs[object] = c.emptySpec()
			}
			specs[object].Egress = append(specs[object].Egress, networkingv1.NetworkPolicyEgressRule{Ports: r.ports, To: peers})
		}
	}
	return specs
}

// emptySpec allows nothing. policyTypes is written out: left to the API server's default it would be Ingress.
func (c *compilation) emptySpec() *networkingv1.NetworkPolicySpec {
	return &networkingv1.NetworkPolicySpec{
		PodSelector: c.in.Policy.PodSelector,
		PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
	}
}

// created returns a new object.
func (c *compilation) created(name string, spec *networkingv1.NetworkPolicySpec, owners string) *networkingv1.NetworkPolicy {
	np := &networkingv1.NetworkPolicy{Spec: *spec.DeepCopy()}
	np.Name, np.Namespace = name, c.in.Policy.Namespace
	np.Labels = c.in.Policy.labels(nil)
	np.Annotations = annotations(nil, owners)
	np.OwnerReferences = c.ownerReferences(nil)
	return np
}

// updated returns the live object with our spec, labels, annotation and owner reference.
func (c *compilation) updated(
	np *networkingv1.NetworkPolicy, spec *networkingv1.NetworkPolicySpec, owners string,
) *networkingv1.NetworkPolicy {
	out := &networkingv1.NetworkPolicy{TypeMeta: np.TypeMeta, Spec: *spec.DeepCopy()}
	np.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	out.Labels = c.in.Policy.labels(out.Labels)
	out.Annotations = annotations(out.Annotations, owners)
	out.OwnerReferences = c.ownerReferences(out.OwnerReferences)
	return out
}

// isAsWanted tells whether there is nothing to do about an object: np is nil where there is none, spec where there should
// be none. One that should go and is deleted already only waits for somebody's finalizer. The annotation does not count:
// it changes with every answer that moves an address between names, and no pod's traffic depends on it.
func (c *compilation) isAsWanted(np *networkingv1.NetworkPolicy, spec *networkingv1.NetworkPolicySpec) bool {
	switch {
	case np == nil:
		return spec == nil
	case spec == nil:
		return np.DeletionTimestamp != nil
	}
	return c.in.Policy.isLabelled(np) &&
		equality.Semantic.DeepEqual(np.OwnerReferences, c.ownerReferences(np.OwnerReferences)) &&
		equalSpecs(&np.Spec, spec)
}

// annotations returns all with ours, and without it where there is nothing to say. It may change all.
func annotations(all map[string]string, owners string) map[string]string {
	if owners == "" {
		delete(all, AnnotationAddresses)
		return all
	}
	if all == nil {
		all = make(map[string]string, 1)
	}
	all[AnnotationAddresses] = owners
	return all
}

// ownerReferences returns refs with ours, in the place of an old one of the same policy or at the end. refs is not changed.
func (c *compilation) ownerReferences(refs []metav1.OwnerReference) []metav1.OwnerReference {
	ours := c.in.Policy.ownerReference()
	out := make([]metav1.OwnerReference, 0, len(refs)+1)
	placed := false
	for _, ref := range refs {
		if !c.in.Policy.Kind.isOf(&ref) || ref.Name != ours.Name {
			out = append(out, ref)
		} else if !placed {
			out = append(out, ours)
			placed = true
		}
	}
	if !placed {
		out = append(out, ours)
	}
	return out
}

// equalSpecs compares what the API server returned with what we would write, which is in the form that it returns.
func equalSpecs(a, b *networkingv1.NetworkPolicySpec) bool {
	return slices.Equal(a.PolicyTypes, b.PolicyTypes) && len(a.Ingress) == len(b.Ingress) &&
		slices.EqualFunc(a.Egress, b.Egress, func(x, y networkingv1.NetworkPolicyEgressRule) bool { return equalRules(&x, &y) }) &&
		equality.Semantic.DeepEqual(a.PodSelector, b.PodSelector)
}

func equalRules(a, b *networkingv1.NetworkPolicyEgressRule) bool {
	return slices.EqualFunc(a.Ports, b.Ports, equalPorts) && slices.EqualFunc(a.To, b.To, equalPeers)
}

// equalPorts compares by meaning: an endPort that repeats the port is no difference.
func equalPorts(a, b networkingv1.NetworkPolicyPort) bool { return spanOf(&a) == spanOf(&b) }

// equalPeers spares the many peers that are plain blocks the cost of reflection.
func equalPeers(a, b networkingv1.NetworkPolicyPeer) bool {
	if isPlainBlock(&a) && isPlainBlock(&b) {
		return a.IPBlock.CIDR == b.IPBlock.CIDR
	}
	return equality.Semantic.DeepEqual(a, b)
}

func isPlainBlock(p *networkingv1.NetworkPolicyPeer) bool {
	return p.IPBlock != nil && len(p.IPBlock.Except) == 0 && p.PodSelector == nil && p.NamespaceSelector == nil
}
