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

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
)

// TestStory is docs/walkthrough.md: an app that is locked down, and one host that it may call.
func TestStory(t *testing.T) {
	t.Parallel()
	s := newOpenScene(t)
	const google, elsewhere = "203.0.113.36", "203.0.113.37"
	s.setName(t, "www.google.com", google)
	s.setName(t, s.domain("elsewhere"), elsewhere)
	app, db := s.pod("app", "world", "web", "80"), s.pod("db", "world", "web", "5432", "5433")
	frontend, database := s.address(app), s.address(db)
	s.wantAllowed(app, url("www.google.com", 80), url(elsewhere, 80), url(database, 5432), url(database, 5433))
	s.wantAllowed(db, url(frontend, 80))

	s.denyAll()
	s.eventuallyBlocked(app, url(google, 80), url(elsewhere, 80))
	s.eventuallyNotReached(app, url(database, 5432), url(database, 5433))
	s.eventuallyNotReached(db, url(frontend, 80))
	if _, err := app.curl(t.Context(), "1", url("www.google.com", 80)); err == nil {
		t.Error("the name is resolved though DNS is denied too")
	}

	s.create(databaseIngress())
	s.apply(policy("app", "app", v1alpha1.EgressRule{
		To:    []v1alpha1.EgressPeer{{PodSelector: appIs("db")}},
		Ports: []v1alpha1.EgressPort{tcp(5432)},
	}))
	s.eventuallyAllowed(app, url(database, 5432))
	s.wantNotReached(app, url(database, 5433))
	s.wantBlocked(app, url("www.google.com", 80)) // DNS is reached now: curl fails at the connection, not at the name

	s.edit("app", func(spec *v1alpha1.FQDNEgressPolicySpec) {
		spec.Egress = append(spec.Egress, rule(80, "www.google.com"))
	})
	s.ready("app")
	s.eventuallyAllowed(app, url("www.google.com", 80))
	s.wantAllowed(app, url(google, 80), url(database, 5432))
	s.wantBlocked(app, url(google, 8080), url(elsewhere, 80), url(s.domain("elsewhere"), 80))
	s.wantNotReached(app, url(database, 5433))
	s.wantNotReached(db, url(frontend, 80))
	s.wantBlocked(db, url(google, 80))
}

// databaseIngress lets the app in at the database's port. Ingress is what NetworkPolicy can do without names.
func databaseIngress() *networkingv1.NetworkPolicy {
	port := intstr.FromInt32(5432)
	protocol := corev1.ProtocolTCP
	return &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "db"},
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}},
			PolicyTypes: []networkingv1.PolicyType{"Ingress"},
			Ingress: []networkingv1.NetworkPolicyIngressRule{{
				From:  []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "app"}}}},
				Ports: []networkingv1.NetworkPolicyPort{{Protocol: &protocol, Port: &port}},
			}},
		},
	}
}

func appIs(name string) *v1alpha1.LabelSelector {
	return &v1alpha1.LabelSelector{MatchLabels: map[string]v1alpha1.LabelValue{"app": v1alpha1.LabelValue(name)}}
}
