// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
)

// otherTenant is the same world in a namespace of its own.
func (w *world) otherTenant() *world {
	w.t.Helper()
	other := *w
	other.namespace = w.newNamespace("other")
	return &other
}

// names returns so many hosts with an address each, and the addresses.
func (w *world) names(hint string, block, count int) (hosts, addrs []string) {
	for i := range count {
		host, addr := fmt.Sprintf("%s-%d.example.com", hint, i), fmt.Sprintf("192.0.%d.%d", block, i+1)
		w.dns.Set(host, shortTTL, addr)
		hosts, addrs = append(hosts, host), append(addrs, addr)
	}
	return hosts, addrs
}

// TestInvariant12_NamesOfATenantAreBounded: what a namespace lists beyond its bound is not asked for, and its status says so. What
// it has already stays, and another tenant that lists the same names has all of them.
func TestInvariant12_NamesOfATenantAreBounded(t *testing.T) {
	w := newWorld(t)
	p := w.start("--max-names-per-namespace", "5")
	first, firstAddrs := w.names("first", 2, 4)
	more, moreAddrs := w.names("more", 3, 3)
	w.create("first", nil, rule(443, first...))
	w.wantAllowed(443, firstAddrs...)
	w.wantCondition("first", v1alpha1.ConditionProgrammed, metav1.ConditionTrue, v1alpha1.ReasonProgrammed)

	stays := w.alwaysAllowed(443, firstAddrs...)
	w.create("more", nil, rule(8443, more...))
	message := w.wantCondition("more", v1alpha1.ConditionProgrammed, metav1.ConditionFalse, v1alpha1.ReasonLimitReached)
	if got := w.allowed(8443); len(got) != 1 {
		t.Errorf("%v is allowed, want the one name that fits (%s)", got, message)
	}
	w.wantEvent("more", "LimitReached")
	if p.metric("fqdn_egress_limits_hit_total", "names_per_namespace") == 0 {
		t.Error("the metric does not tell that the limit bites")
	}
	w.wantCondition("first", v1alpha1.ConditionProgrammed, metav1.ConditionTrue, v1alpha1.ReasonProgrammed)

	other := w.otherTenant()
	other.create("same", nil, rule(443, more...))
	other.wantAllowed(443, moreAddrs...)
	other.wantCondition("same", v1alpha1.ConditionProgrammed, metav1.ConditionTrue, v1alpha1.ReasonProgrammed)
	stays()

	// Who makes room gets what waited.
	w.edit("first", func(s *v1alpha1.FQDNEgressPolicySpec) { s.Egress = []v1alpha1.EgressRule{rule(443, first[:2]...)} })
	w.wantAllowed(8443, moreAddrs...)
	w.wantCondition("more", v1alpha1.ConditionProgrammed, metav1.ConditionTrue, v1alpha1.ReasonProgrammed)
}

// TestInvariant12_AddressesOfATenantAreBounded: addresses beyond the bound of a namespace are left out, and its status says so.
// Those that it has stay, and another tenant gets all of its own.
func TestInvariant12_AddressesOfATenantAreBounded(t *testing.T) {
	const bound = 10
	w := newWorld(t)
	p := w.start("--max-addresses-per-namespace", fmt.Sprint(bound))
	var firstAddrs, moreAddrs []string
	for i := range 8 {
		firstAddrs, moreAddrs = append(firstAddrs, fmt.Sprintf("192.0.2.%d", i+1)), append(moreAddrs, fmt.Sprintf("198.51.100.%d", i+1))
	}
	w.dns.Set("first.example.com", shortTTL, firstAddrs...)
	w.dns.Set("more.example.com", shortTTL, moreAddrs...)
	w.dns.Set("others.example.com", shortTTL, moreAddrs...)
	w.create("first", nil, rule(443, "first.example.com"))
	w.wantAllowed(443, firstAddrs...)

	stays := w.alwaysAllowed(443, firstAddrs...)
	w.create("more", nil, rule(8443, "more.example.com"))
	message := w.wantCondition("more", v1alpha1.ConditionProgrammed, metav1.ConditionFalse, v1alpha1.ReasonLimitReached)
	if got := len(w.allowed(443)) + len(w.allowed(8443)); got > bound {
		t.Errorf("%d addresses are allowed (%s)", got, message)
	}
	w.wantEvent("more", "LimitReached")
	if p.metric("fqdn_egress_limits_hit_total", "addresses_per_namespace") == 0 {
		t.Error("the metric does not tell that the limit bites")
	}
	w.wantCondition("first", v1alpha1.ConditionProgrammed, metav1.ConditionTrue, v1alpha1.ReasonProgrammed)

	other := w.otherTenant()
	other.create("same", nil, rule(443, "others.example.com"))
	other.wantAllowed(443, moreAddrs...)
	other.wantCondition("same", v1alpha1.ConditionProgrammed, metav1.ConditionTrue, v1alpha1.ReasonProgrammed)
	stays()
}
