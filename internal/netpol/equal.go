// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"maps"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// These compare by meaning and in order, as equality.Semantic does, which takes most of the time of a Compile: none and
// empty are the same in a map or a list, and differ in a selector.

func equalSpecs(a, b *networkingv1.NetworkPolicySpec) bool {
	return slices.Equal(a.PolicyTypes, b.PolicyTypes) && len(a.Ingress) == len(b.Ingress) &&
		slices.EqualFunc(a.Egress, b.Egress, func(x, y networkingv1.NetworkPolicyEgressRule) bool { return equalRules(&x, &y) }) &&
		equalSelectors(&a.PodSelector, &b.PodSelector)
}

func equalRules(a, b *networkingv1.NetworkPolicyEgressRule) bool {
	return slices.EqualFunc(a.Ports, b.Ports, equalPorts) &&
		slices.EqualFunc(a.To, b.To, func(x, y networkingv1.NetworkPolicyPeer) bool { return equalPeers(&x, &y) })
}

// equalPorts sees no difference in an endPort that repeats the port.
func equalPorts(a, b networkingv1.NetworkPolicyPort) bool { return spanOf(&a) == spanOf(&b) }

func equalPeers(a, b *networkingv1.NetworkPolicyPeer) bool {
	return equalBlocks(a, b) && equalSelectors(a.PodSelector, b.PodSelector) && equalSelectors(a.NamespaceSelector, b.NamespaceSelector)
}

// equalBlocks sees no difference in how a single address is spelled.
func equalBlocks(a, b *networkingv1.NetworkPolicyPeer) bool {
	if a.IPBlock == nil || b.IPBlock == nil {
		return a.IPBlock == b.IPBlock
	}
	if !slices.Equal(a.IPBlock.Except, b.IPBlock.Except) {
		return false
	}
	if a.IPBlock.CIDR == b.IPBlock.CIDR {
		return true
	}
	x, ok := singleAddress(a)
	y, isOne := singleAddress(b)
	return ok && isOne && x == y
}

func equalSelectors(a, b *metav1.LabelSelector) bool {
	if a == nil || b == nil {
		return a == b
	}
	return maps.Equal(a.MatchLabels, b.MatchLabels) &&
		slices.EqualFunc(a.MatchExpressions, b.MatchExpressions, func(x, y metav1.LabelSelectorRequirement) bool {
			return x.Key == y.Key && x.Operator == y.Operator && slices.Equal(x.Values, y.Values)
		})
}

func equalReferences(a, b metav1.OwnerReference) bool {
	return a.APIVersion == b.APIVersion && a.Kind == b.Kind && a.Name == b.Name && a.UID == b.UID &&
		equalFlags(a.Controller, b.Controller) && equalFlags(a.BlockOwnerDeletion, b.BlockOwnerDeletion)
}

func equalFlags(a, b *bool) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}
