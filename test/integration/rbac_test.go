// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"path/filepath"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/test/apiserver"
)

// TestTheShippedRBACIsEnoughAndNotMore runs the controller as its ServiceAccount with nothing but config/rbac.
func TestTheShippedRBACIsEnoughAndNotMore(t *testing.T) {
	w := newWorld(t)
	root, err := apiserver.Root()
	if err != nil {
		t.Fatal(err)
	}
	rendered, err := w.server.Kubectl(t.Context(), "kustomize", filepath.Join(root, "config", "default"))
	if err != nil {
		t.Fatal(err)
	}
	w.apply(rendered)
	account, err := w.server.ServiceAccount("fqdn-egress-system", "fqdn-egress-controller")
	if err != nil {
		t.Fatal(err)
	}
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1", "10.0.0.1")
	start(t, account.Kubeconfig, "--upstreams", w.dns.Addr().String(),
		"--leader-elect", "--leader-election-namespace", "fqdn-egress-system").ready()
	w.create("web", nil, rule(443, "www.example.com"))
	w.wantAllowed(443, "192.0.2.1")
	w.wantCondition("web", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	w.wantEvent("web", "AddressRefused")
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1", "192.0.2.2")
	w.wantAllowed(443, "192.0.2.1", "192.0.2.2")
	w.edit("web", func(s *v1alpha1.FQDNEgressPolicySpec) { s.Mode = v1alpha1.ModeAudit })
	w.wantAllowed(443)

	for _, forbidden := range [][]string{
		{"list", "secrets"}, {"list", "pods"}, {"list", "configmaps"}, {"create", "fqdnegresspolicies.fqdnegress.dev"},
		{"delete", "fqdnegresspolicies.fqdnegress.dev"}, {"update", "fqdnegresspolicies.fqdnegress.dev"},
		{"list", "services", "--namespace", "default"}, {"get", "leases", "--namespace", "kube-system"},
		{"deletecollection", "networkpolicies"}, {"escalate", "clusterroles"},
	} {
		out, err := w.server.KubectlAs(t.Context(), account, append([]string{"auth", "can-i"}, forbidden...)...)
		if err == nil {
			t.Errorf("the controller may %v: %s", forbidden, out)
		}
	}
}
