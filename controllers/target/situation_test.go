// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"slices"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

func TestIndexedPoliciesAreNotFoundByName(t *testing.T) {
	owned := func(policy string) []metav1.OwnerReference {
		return []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion().String(), Kind: v1alpha1.Kind, Name: policy, Controller: new(true)}}
	}
	for _, tt := range []struct {
		name, label, owner string
		want               []string
	}{
		{"web-fqdn", "web", "web", nil},
		{"web-fqdn", "", "", nil},
		{"web-fqdn-1", "web", "web", []string{"web"}},
		{"web-fqdn", "shop", "", []string{"shop"}},
		{"web-fqdn", "web", "shop", []string{"shop"}},
		{"old-rules", "", "web", []string{"web"}},
		{"old-rules", "shop", "web", []string{"web", "shop"}},
		{"allow-db", "", "", nil},
	} {
		np := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: tt.name}}
		if tt.label != "" {
			np.Labels = map[string]string{netpol.LabelPolicy: tt.label}
		}
		if tt.owner != "" {
			np.OwnerReferences = owned(tt.owner)
		}
		if got := IndexedPolicies(np); !slices.Equal(got, tt.want) {
			t.Errorf("%s with label %q, owned by %q: under %q, want %q", tt.name, tt.label, tt.owner, got, tt.want)
		}
	}
}
