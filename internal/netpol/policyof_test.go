// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

func TestPolicyOf(t *testing.T) {
	r := on(to("a.example.com", "not a name"), tcp(443))
	r.To = append(r.To, pods("db"), v1alpha1.EgressPeer{}, block("192.0.2.0/24", "192.0.2.1/32"),
		v1alpha1.EgressPeer{NamespaceSelector: &v1alpha1.LabelSelector{MatchLabels: map[string]v1alpha1.LabelValue{}}})
	p := apiPolicy(r, to("*.example.com"))
	p.Spec.AllowedPrivateCIDRs = []v1alpha1.CIDR{"10.1.0.0/16", "nonsense"}
	want := Policy{
		Identity:    Identity{Kind: NamespacedKind(), Namespace: "shop", Name: "web", UID: "uid-1"},
		PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
		ClusterDNS:  true,
		Rules: []Rule{
			{
				Ports:    []networkingv1.NetworkPolicyPort{npPort("TCP", 443, 0)},
				Patterns: []fqdn.Pattern{given.Pattern(t, "a.example.com")},
				Peers: []networkingv1.NetworkPolicyPeer{
					{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}}},
					{IPBlock: &networkingv1.IPBlock{CIDR: "192.0.2.0/24", Except: []string{"192.0.2.1/32"}}},
					{NamespaceSelector: &metav1.LabelSelector{}},
				},
			},
			{Ports: []networkingv1.NetworkPolicyPort{}, Patterns: []fqdn.Pattern{given.Pattern(t, "*.example.com")}},
		},
		AllowedPrivate: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")},
	}
	compare := cmp.Options{
		cmp.Comparer(func(a, b fqdn.Pattern) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	}
	if diff := cmp.Diff(want, PolicyOf(p), compare); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	p.Spec.ClusterDNS, p.Spec.Mode = v1alpha1.ClusterDNSOmit, v1alpha1.ModeAudit
	if got := PolicyOf(p); got.ClusterDNS || !got.Audit {
		t.Errorf("ClusterDNS is %t, Audit %t", got.ClusterDNS, got.Audit)
	}
}
