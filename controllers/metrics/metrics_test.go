// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

func TestOutcomeOf(t *testing.T) {
	resource := schema.GroupResource{Group: "networking.k8s.io", Resource: "networkpolicies"}
	terminating := apierrors.NewForbidden(resource, "web-fqdn", errors.New("namespace shop is being terminated"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	for name, tc := range map[string]struct {
		err  error
		want Outcome
	}{
		"none":                           {nil, OK},
		"another version":                {apierrors.NewConflict(resource, "web-fqdn", errors.New("modified")), Conflict},
		"it is there already":            {apierrors.NewAlreadyExists(resource, "web-fqdn"), Conflict},
		"it is gone":                     {apierrors.NewNotFound(resource, "web-fqdn"), Conflict},
		"the namespace is being deleted": {terminating, Terminating},
		"the namespace is gone":          {apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "shop"), Terminating},
		"a quota":                        {apierrors.NewForbidden(resource, "web-fqdn", errors.New("exceeded quota")), Failed},
		"the connection":                 {errors.New("connection refused"), Failed},
	} {
		if got := OutcomeOf(tc.err); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
		if tc.err != nil {
			if got := OutcomeOf(fmt.Errorf("writing: %w", tc.err)); got != tc.want {
				t.Errorf("%s, wrapped: %s, want %s", name, got, tc.want)
			}
		}
	}
}

// No label names a namespace, and two policies of one count once.
func TestPolicyGauges(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := New(registry, addressbook.New(addressbook.Options{}), fixedDNS{})
	policy := func(namespace, name string) types.NamespacedName {
		return types.NamespacedName{Namespace: namespace, Name: name}
	}
	hungry := Policy{Limits: []Limit{BytesPerNamespace, AddressesPerName}, Unresolved: map[string]int{v1alpha1.ReasonPending: 2}, Refused: 3}
	m.Observe(policy("hungry", "a"), hungry)
	m.Observe(policy("hungry", "b"), hungry)
	m.Observe(policy("other", "a"), Policy{Limits: []Limit{AddressesPerName}})
	m.Observe(policy("shop", "a"), Policy{Ready: true})
	m.Observe(policy("shop", "gone"), hungry)
	m.Forget(policy("shop", "gone"))

	want := `# HELP fqdn_egress_policies Policies that were reconciled.
# TYPE fqdn_egress_policies gauge
fqdn_egress_policies 4
# HELP fqdn_egress_policies_not_ready Policies whose condition Ready is not True.
# TYPE fqdn_egress_policies_not_ready gauge
fqdn_egress_policies_not_ready 3
# HELP fqdn_egress_refused_addresses Addresses of current answers that the guard keeps out, summed over the policies.
# TYPE fqdn_egress_refused_addresses gauge
fqdn_egress_refused_addresses 6
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "fqdn_egress_policies", "fqdn_egress_policies_not_ready",
		"fqdn_egress_refused_addresses"); err != nil {
		t.Error(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	limited := map[string]float64{}
	for _, f := range families {
		if f.GetName() != "fqdn_egress_namespaces_limited" {
			continue
		}
		for _, metric := range f.GetMetric() {
			limited[metric.GetLabel()[0].GetValue()] = metric.GetGauge().GetValue()
		}
	}
	if len(limited) != len(Limits()) || limited["bytes_per_namespace"] != 1 || limited["addresses_per_name"] != 2 || limited["write_budget"] != 0 {
		t.Errorf("limited: %v", limited)
	}
}
