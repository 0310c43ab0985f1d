// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// TestPluginEnforces needs no controller: it shows that the network plugin does with a NetworkPolicy written by hand what
// the other tests rely on. Where it fails, they say nothing.
func TestPluginEnforces(t *testing.T) {
	t.Parallel()
	s := newOpenScene(t)
	app, server := s.pod("app"), s.pod("server", "world", "web", "80", "8080")
	inside := s.address(server)
	s.wantAllowed(app, url(first, 80), url(inside, 80))
	s.create(&networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "by-hand"},
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": "app"}},
			PolicyTypes: []networkingv1.PolicyType{"Egress"},
			Egress: []networkingv1.NetworkPolicyEgressRule{
				{To: []networkingv1.NetworkPolicyPeer{block(first + "/32")}, Ports: []networkingv1.NetworkPolicyPort{ports(80, 0)}},
				{To: []networkingv1.NetworkPolicyPeer{block("203.0.113.0/24", "203.0.113.64/26")}, Ports: []networkingv1.NetworkPolicyPort{ports(8000, 8100)}},
				{
					To:    []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "server"}}}},
					Ports: []networkingv1.NetworkPolicyPort{ports(8080, 0)},
				},
			},
		},
	})
	s.eventuallyBlocked(app, url(second, 80))
	s.wantAllowed(app, url(first, 80), url("203.0.113.1", 8080), url(inside, 8080))
	s.wantBlocked(app, url(first, 8080), url("203.0.113.1", 80), url("203.0.113.65", 8080), url(inside, 80))
	s.wantAllowed(server, url(second, 80), url(inside, 80)) // the policy selects the app alone
}

func block(cidr string, except ...string) networkingv1.NetworkPolicyPeer {
	return networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: cidr, Except: except}}
}

// ports is one TCP port, or with an end a range.
func ports(port, end int32) networkingv1.NetworkPolicyPort {
	p := networkingv1.NetworkPolicyPort{Protocol: new(corev1.ProtocolTCP), Port: new(intstr.FromInt32(port))}
	if end != 0 {
		p.EndPort = &end
	}
	return p
}
