// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
)

// rule is a rule of either direction.
type rule struct {
	peers []networkingv1.NetworkPolicyPeer
	ports []networkingv1.NetworkPolicyPort
}

// egressRules reads the egress of a policy. Without policyTypes it isolates for egress only if it has rules for it: the
// API server fills policyTypes in, this repeats its documentation.
func egressRules(spec *networkingv1.NetworkPolicySpec) (rules []rule, isolates bool) {
	for _, r := range spec.Egress {
		rules = append(rules, rule{peers: r.To, ports: r.Ports})
	}
	if len(spec.PolicyTypes) == 0 {
		return rules, len(rules) > 0
	}
	return rules, slices.Contains(spec.PolicyTypes, networkingv1.PolicyTypeEgress)
}

// ingressRules reads the ingress of a policy. Without policyTypes it always isolates for ingress.
func ingressRules(spec *networkingv1.NetworkPolicySpec) (rules []rule, isolates bool) {
	for _, r := range spec.Ingress {
		rules = append(rules, rule{peers: r.From, ports: r.Ports})
	}
	return rules, len(spec.PolicyTypes) == 0 || slices.Contains(spec.PolicyTypes, networkingv1.PolicyTypeIngress)
}
