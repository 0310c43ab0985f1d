// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

// The numbers are those of the edge cases that other controllers of this kind ran into.

func TestEdge7_ZeroAddressesIsNoRule(t *testing.T) {
	objects := cluster{}
	in := input(policy(on(to("a.example.com"), tcp(443)), on(to("b.example.com"), tcp(22))),
		namesOf(t, map[string]Name{"b.example.com": answered("192.0.2.1")}))
	objects.run(t, in, start())
	if got := allowed(objects); got[packet{"192.0.2.1", "TCP", 443}] || got[packet{"192.0.2.0", "TCP", 443}] {
		t.Error("a name without addresses opens its ports")
	}
	if got := len(objects["web-fqdn"].Spec.Egress); got != 2 {
		t.Errorf("%d rules, want DNS and TCP/22", got)
	}
}

func TestEdge8_PolicyTypesIsAlwaysEgress(t *testing.T) {
	objects := cluster{}
	in := input(policy(), nil)
	in.Policy.ClusterDNS = false
	objects.run(t, in, start())
	spec := objects["web-fqdn"].Spec
	if diff := cmp.Diff([]networkingv1.PolicyType{"Egress"}, spec.PolicyTypes); diff != "" || len(spec.Egress) > 0 {
		t.Errorf("egress %v, policyTypes (-want +got):\n%s", spec.Egress, diff)
	}
}

func TestEdge9_DefaultsOfTheAPIServerAreNoDrift(t *testing.T) {
	r := on(to("a.example.com"), v1alpha1.EgressPort{Port: tcp(443).Port})
	r.To = append(r.To,
		v1alpha1.EgressPeer{PodSelector: &v1alpha1.LabelSelector{MatchLabels: map[string]v1alpha1.LabelValue{}}},
		v1alpha1.EgressPeer{NamespaceSelector: &v1alpha1.LabelSelector{MatchExpressions: []v1alpha1.LabelSelectorRequirement{{Key: "x", Operator: "Exists", Values: []v1alpha1.LabelValue{}}}}},
		v1alpha1.EgressPeer{IPBlock: &v1alpha1.IPBlock{CIDR: "192.0.2.0/24", Except: []string{}}})
	p := apiPolicy(r)
	p.Spec.PodSelector.MatchExpressions = []v1alpha1.LabelSelectorRequirement{}
	in := input(PolicyOf(p), namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.1")}))
	objects := cluster{}
	plan := objects.run(t, in, start()) // fails when the second plan is not empty
	if diff := cmp.Diff(plan.Steps[0].Object.Spec, objects["web-fqdn"].Spec); diff != "" {
		t.Errorf("the API server returns something else (-written +returned):\n%s", diff)
	}
	// nil and empty differ where it matters: a nil podSelector would be any pod of the namespaces.
	np := objects["web-fqdn"]
	np.Spec.Egress[1].To[0].PodSelector, np.Spec.Egress[1].To[0].NamespaceSelector = nil, np.Spec.Egress[1].To[0].PodSelector
	in.Live = []networkingv1.NetworkPolicy{np}
	onlyUpdate(t, Compile(in, start()))
}

func TestEdge20_ShrinkingAddsBeforeItRemoves(t *testing.T) {
	in := input(policy(on(to("a.example.com"), tcp(443))), namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4")}))
	in.MaxPeers = 4 // two of the first object are for DNS
	objects := cluster{}
	objects.run(t, in, start())
	in.Names = namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.1", "192.0.2.4")})
	plan := objects.run(t, in, start())
	if diff := cmp.Diff([]string{"update web-fqdn", "delete web-fqdn-1"}, stepNames(plan.Steps)); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"web-fqdn"}, plan.Objects); diff != "" {
		t.Errorf("Objects (-want +got):\n%s", diff)
	}
}

func TestEdge21_SameNameOwnedBySomebodyElse(t *testing.T) {
	in := input(policy(on(to("a.example.com"), tcp(443))), namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4")}))
	in.MaxPeers = 4
	objects := cluster{}
	objects.run(t, in, start())

	t.Run("of the first object: the others go on", func(t *testing.T) {
		foreign, in := objects.clone(), in
		np := foreign["web-fqdn"]
		np.Labels, np.OwnerReferences = nil, nil
		foreign["web-fqdn"] = np
		in.Live = foreign.list()
		in.Names = namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.1", "192.0.2.2", "192.0.2.3")})
		plan := Compile(in, start())
		if diff := cmp.Diff([]string{"web-fqdn"}, plan.Conflicts); diff != "" {
			t.Errorf("Conflicts (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"update web-fqdn-1"}, stepNames(plan.Steps)); diff != "" {
			t.Errorf("steps (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(given.Addrs("192.0.2.3"), plan.Allowed[given.Pattern(t, "a.example.com")], addrComparer()); diff != "" {
			t.Errorf("Allowed (-want +got):\n%s", diff)
		}
	})
	t.Run("of the first object: nothing moves there", func(t *testing.T) {
		foreign, in := objects.clone(), in
		np := foreign["web-fqdn"]
		np.Labels, np.OwnerReferences = nil, nil
		foreign["web-fqdn"] = np
		in.Live = foreign.list()
		in.Names = namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.3", "192.0.2.4")})
		if plan := Compile(in, start()); len(plan.Steps) > 0 || plan.AddressCount != 2 {
			t.Errorf("steps %v, AddressCount = %d", stepNames(plan.Steps), plan.AddressCount)
		}
	})
	t.Run("of a later object: it is passed over", func(t *testing.T) {
		foreign := objects.clone()
		foreign["web-fqdn-1"] = networkingv1.NetworkPolicy{ObjectMeta: *owned("web-fqdn-1").ObjectMeta.DeepCopy()}
		np := foreign["web-fqdn-1"]
		np.OwnerReferences[0].Kind = "HelmRelease"
		in := in
		in.Live = foreign.list()
		plan := Compile(in, start())
		if diff := cmp.Diff([]string{"create web-fqdn-2"}, stepNames(plan.Steps)); diff != "" {
			t.Errorf("steps (-want +got):\n%s", diff)
		}
		if len(plan.Conflicts) != 0 || plan.AddressCount != 4 {
			t.Errorf("Conflicts = %v, AddressCount = %d", plan.Conflicts, plan.AddressCount)
		}
		in.MaxObjects = 2 // now its name is needed
		plan = Compile(in, start())
		if diff := cmp.Diff([]string{"web-fqdn-1"}, plan.Conflicts); diff != "" || plan.LeftOut != 2 || len(plan.Steps) > 0 {
			t.Errorf("LeftOut = %d, steps %v, Conflicts (-want +got):\n%s", plan.LeftOut, stepNames(plan.Steps), diff)
		}
	})
}

func TestEdge24_DNSStaysReachable(t *testing.T) {
	objects := cluster{}
	in := input(policy(), nil)
	in.DNS.TargetPorts = []DNSPort{{"UDP", 5353}}
	objects.run(t, in, start())
	got := allowed(objects)
	if !got[packet{"10.96.0.10", "UDP", 53}] || !got[packet{"10.96.0.10", "TCP", 53}] {
		t.Error("the DNS Service is blocked")
	}
	if got[packet{"192.0.2.1", "UDP", 53}] || got[packet{"pods kube-dns", "UDP", 53}] || got[packet{"10.96.0.10", "TCP", 443}] {
		t.Error("the DNS rule allows more than DNS")
	}
	if ports := objects["web-fqdn"].Spec.Egress[1].Ports; len(ports) != 1 || *ports[0].Port != intstr.FromInt32(5353) {
		t.Errorf("ports of the pods: %v", ports)
	}
	in.Policy.ClusterDNS = false
	objects.run(t, in, start())
	if len(allowed(objects)) > 0 {
		t.Error("clusterDNS Omit leaves the rule there")
	}
}

func TestEdge26_MappedAddressesAreUnwrapped(t *testing.T) {
	objects := cluster{}
	in := input(policy(on(to("a.example.com"), tcp(443))), namesOf(t, map[string]Name{"a.example.com": answered("::ffff:192.0.2.1", "192.0.2.1", "64:ff9b::c000:202")}))
	plan := objects.run(t, in, start())
	if diff := cmp.Diff([]string{"192.0.2.1", "64:ff9b::c000:202"}, objects.peersOf(https, in.DNS)); diff != "" {
		t.Errorf("peers (-want +got):\n%s", diff)
	}
	if plan.AddressCount != 2 {
		t.Errorf("AddressCount = %d, want 2", plan.AddressCount)
	}
}

func TestEdge30_GuardJudgesRetainedAndCarriedAddressesToo(t *testing.T) {
	p := policy(on(to("a.example.com"), tcp(443)))
	p.AllowedPrivate = []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}
	objects := cluster{}
	objects.run(t, input(p, namesOf(t, map[string]Name{"a.example.com": answered("10.1.0.1", "10.1.0.2", "192.0.2.1")})), start())
	p.AllowedPrivate = nil
	retained := answered("10.1.0.1")
	retained.Addresses[0] = Address{Addr: given.Addrs("10.1.0.1")[0], Until: start().Add(time.Hour)}
	in := input(p, namesOf(t, map[string]Name{"a.example.com": retained}))
	in.Carried = CarriedFrom(in.Policy, nil, objects.list(), in.DNS, start())
	objects.run(t, in, start())
	if diff := cmp.Diff([]string{"192.0.2.1"}, objects.peersOf(https, in.DNS)); diff != "" {
		t.Errorf("peers (-want +got):\n%s", diff)
	}
}

func TestEdge32_OneNameAtDifferentPortsAndOneAddressOfTwoNames(t *testing.T) {
	names := namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.1"), "b.example.com": answered("192.0.2.1", "192.0.2.2")})
	objects := cluster{}
	objects.run(t, input(policy(on(to("a.example.com"), tcp(443)), on(to("a.example.com"), tcp(80)), on(to("b.example.com"), tcp(450))), names), start())
	got := allowed(objects)
	for p, want := range map[packet]bool{
		{"192.0.2.1", "TCP", 443}: true, {"192.0.2.1", "TCP", 80}: true, {"192.0.2.1", "TCP", 450}: true, {"192.0.2.2", "TCP", 450}: true,
		{"192.0.2.2", "TCP", 443}: false, {"192.0.2.2", "TCP", 80}: false,
	} {
		if got[p] != want {
			t.Errorf("%v: allowed is %v, want %v", p, got[p], want)
		}
	}
}

func TestEdge39_RemovedNameTakesItsAddressesAlong(t *testing.T) {
	retained := answered("192.0.2.2")
	retained.Addresses[0] = Address{Addr: given.Addrs("192.0.2.2")[0], Until: start().Add(time.Hour)}
	names := namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.1"), "b.example.com": retained})
	objects := cluster{}
	objects.run(t, input(policy(on(to("a.example.com", "b.example.com"), tcp(443))), names), start())
	if got := objects.peersOf(https, DNS{}); !slices.Contains(got, "192.0.2.2") {
		t.Fatalf("peers %v lack the retained address", got)
	}
	onlyUpdate(t, objects.run(t, input(policy(on(to("a.example.com"), tcp(443))), names), start()))
	if diff := cmp.Diff([]string{"192.0.2.1"}, objects.peersOf(https, DNS{})); diff != "" {
		t.Errorf("peers (-want +got):\n%s", diff)
	}
}
