// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestGrantsOverlap(t *testing.T) {
	blockOf := func(cidr string) networkingv1.NetworkPolicyPeer {
		return networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: cidr}}
	}
	one := func(port int, to ...networkingv1.NetworkPolicyPeer) Grant {
		r := networkingv1.NetworkPolicyEgressRule{To: to}
		if port > 0 {
			r.Ports = []networkingv1.NetworkPolicyPort{npPort("TCP", port, 0)}
		}
		return grantsIn(readRules([]networkingv1.NetworkPolicyEgressRule{r}))[0]
	}
	pods := networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{}}
	tests := map[string]struct {
		a, b Grant
		want bool
	}{
		"the same":                 {one(443, blockOf("192.0.2.1/32")), one(443, blockOf("192.0.2.1/32")), true},
		"another address":          {one(443, blockOf("192.0.2.1/32")), one(443, blockOf("192.0.2.2/32")), false},
		"another port":             {one(443, blockOf("192.0.2.1/32")), one(80, blockOf("192.0.2.1/32")), false},
		"all ports":                {one(443, blockOf("192.0.2.1/32")), one(0, blockOf("192.0.2.1/32")), true},
		"a block around it":        {one(443, blockOf("192.0.2.1/32")), one(443, blockOf("192.0.2.0/24")), true},
		"a block beside it":        {one(443, blockOf("192.0.2.1/32")), one(443, blockOf("198.51.100.0/24")), false},
		"two blocks":               {one(443, blockOf("192.0.2.0/25")), one(443, blockOf("192.0.2.0/24")), true},
		"everywhere":               {one(443, blockOf("192.0.2.1/32")), one(443), true},
		"pods and an address":      {one(443, blockOf("192.0.2.1/32")), one(443, pods), true},
		"pods at another port":     {one(80, blockOf("192.0.2.1/32")), one(443, pods), false},
		"everywhere, another port": {one(443, blockOf("192.0.2.1/32")), one(80), false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a, b := indexGrants([]Grant{tt.a}), indexGrants([]Grant{tt.b})
			if a.overlaps(&tt.b) != tt.want || b.overlaps(&tt.a) != tt.want {
				t.Errorf("overlaps is not %v", tt.want)
			}
		})
	}
}
