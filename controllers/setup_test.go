// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// TestNamesakeWakesThePolicyThatItIsInTheWayOf: a copy of another policy's NetworkPolicy keeps that one's label. When it is
// deleted, the policy whose name it has must see the end of its conflict.
func TestNamesakeWakesThePolicyThatItIsInTheWayOf(t *testing.T) {
	copied := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "web-fqdn", Labels: map[string]string{netpol.LabelPolicy: "other"},
	}}
	var woken []string
	for _, r := range targetsInTheWayOf(t.Context(), copied) {
		woken = append(woken, r.Policy().String())
	}
	if diff := cmp.Diff([]string{"shop/other", "shop/web"}, woken); diff != "" {
		t.Errorf("woken (-want +got):\n%s", diff)
	}
	copied.Name, copied.Labels = "default-deny", nil
	if woken := targetsInTheWayOf(t.Context(), copied); len(woken) > 0 {
		t.Errorf("a NetworkPolicy that concerns nobody wakes %v", woken)
	}
}
