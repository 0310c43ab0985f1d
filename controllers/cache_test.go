// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

func TestCacheKeepsOfANetworkPolicyWhatSomebodyReads(t *testing.T) {
	full := func(edit func(*networkingv1.NetworkPolicy)) *networkingv1.NetworkPolicy {
		np := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "allow-db", UID: "u", ResourceVersion: "7", Labels: map[string]string{"app": "db"},
			Annotations: map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "{...}"},
		}}
		np.Spec.Egress = []networkingv1.NetworkPolicyEgressRule{{}}
		edit(np)
		return np
	}
	for name, tc := range map[string]struct {
		edit func(*networkingv1.NetworkPolicy)
		all  bool
	}{
		"somebody else's":           {func(*networkingv1.NetworkPolicy) {}, false},
		"one with a name of ours":   {func(np *networkingv1.NetworkPolicy) { np.Name = "web-fqdn" }, true},
		"one with a further name":   {func(np *networkingv1.NetworkPolicy) { np.Name = "web-fqdn-3" }, true},
		"one with our label":        {func(np *networkingv1.NetworkPolicy) { np.Labels[netpol.LabelPolicy] = "web" }, true},
		"one of another controller": {func(np *networkingv1.NetworkPolicy) { np.OwnerReferences = controlledBy("apps/v1", "Deployment") }, false},
		"ours under a name of any kind": {func(np *networkingv1.NetworkPolicy) {
			np.OwnerReferences = controlledBy("fqdnegress.dev/v1alpha1", v1alpha1.Kind)
		}, true},
		"ours of an API version to come": {func(np *networkingv1.NetworkPolicy) {
			np.OwnerReferences = controlledBy("fqdnegress.dev/v1", v1alpha1.Kind)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			want := full(tc.edit)
			if !tc.all {
				want.ObjectMeta = metav1.ObjectMeta{Namespace: want.Namespace, Name: want.Name, UID: "u", ResourceVersion: "7"}
				want.Spec = networkingv1.NetworkPolicySpec{}
			}
			np := full(tc.edit)
			np.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
			got, err := new(shared).trim(np)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(any(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func controlledBy(apiVersion, kind string) []metav1.OwnerReference {
	yes := true
	return []metav1.OwnerReference{{APIVersion: apiVersion, Kind: kind, Name: "web", UID: "o", Controller: &yes}}
}

func TestCacheKeepsNoAnnotationsOfAPolicy(t *testing.T) {
	policy := &v1alpha1.FQDNEgressPolicy{ObjectMeta: metav1.ObjectMeta{Name: "web", Annotations: map[string]string{"a": "b"}}}
	policy.Spec.Egress = []v1alpha1.EgressRule{{}}
	if _, err := new(shared).trim(policy); err != nil || policy.Annotations != nil || len(policy.Spec.Egress) != 1 {
		t.Errorf("%v: %+v", err, policy)
	}
	if _, err := new(shared).trim("a tombstone"); err != nil {
		t.Error(err)
	}
}
