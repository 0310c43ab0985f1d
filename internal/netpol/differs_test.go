// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestDiffers(t *testing.T) {
	peer := func(cidr string) networkingv1.NetworkPolicyPeer {
		return networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: cidr}}
	}
	tests := map[string]struct {
		edit func(*networkingv1.NetworkPolicy)
		want string
	}{
		"stored as sent": {func(*networkingv1.NetworkPolicy) {}, ""},
		"what others add to the metadata": {func(np *networkingv1.NetworkPolicy) {
			np.Labels["team"], np.ResourceVersion, np.Finalizers = "shop", "7", []string{"example.com/keep"}
			np.OwnerReferences = append(np.OwnerReferences, metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "x"})
		}, ""},
		"the annotation":                   {func(np *networkingv1.NetworkPolicy) { np.Annotations = nil }, ""},
		"an endPort that repeats the port": {func(np *networkingv1.NetworkPolicy) { np.Spec.Egress[1].Ports[0].EndPort = new(int32(443)) }, ""},
		"a peer more": {func(np *networkingv1.NetworkPolicy) {
			np.Spec.Egress[1].To = append(np.Spec.Egress[1].To, peer("0.0.0.0/0"))
		}, "egress has a peer 0.0.0.0/0 more (TCP/443)"},
		"a rule more": {func(np *networkingv1.NetworkPolicy) {
			np.Spec.Egress = append(np.Spec.Egress, networkingv1.NetworkPolicyEgressRule{})
		}, "egress has every destination more (all ports)"},
		"a peer less": {func(np *networkingv1.NetworkPolicy) { np.Spec.Egress[1].To = np.Spec.Egress[1].To[:1] },
			"egress lacks a peer 192.0.2.2/32 (TCP/443)"},
		"two peers more and a rule less": {func(np *networkingv1.NetworkPolicy) {
			np.Spec.Egress = np.Spec.Egress[:2]
			np.Spec.Egress[1].To = append(np.Spec.Egress[1].To, peer("10.0.0.0/8"), peer("172.16.0.0/12"))
		}, "egress has a peer 10.0.0.0/8 more (TCP/443), and 1 other; egress lacks a peer 192.0.2.9/32 (TCP/22)"},
		"ports": {func(np *networkingv1.NetworkPolicy) { np.Spec.Egress[2].Ports = nil },
			"egress has a peer 192.0.2.9/32 more (all ports); egress lacks a peer 192.0.2.9/32 (TCP/22)"},
		"the order of rules": {func(np *networkingv1.NetworkPolicy) { slices.Reverse(np.Spec.Egress) },
			"egress has its rules or peers in another order, or twice"},
		"a peer twice": {func(np *networkingv1.NetworkPolicy) {
			np.Spec.Egress[1].To = append(np.Spec.Egress[1].To, np.Spec.Egress[1].To[0])
		}, "egress has its rules or peers in another order, or twice"},
		"policyTypes": {func(np *networkingv1.NetworkPolicy) { np.Spec.PolicyTypes = append(np.Spec.PolicyTypes, "Ingress") },
			"policyTypes is [Egress Ingress] instead of [Egress]"},
		"ingress": {func(np *networkingv1.NetworkPolicy) { np.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{}} },
			"ingress has 1 rules instead of 0"},
		"podSelector": {func(np *networkingv1.NetworkPolicy) { np.Spec.PodSelector = metav1.LabelSelector{} },
			"podSelector is {} instead of app=web"},
		"a label taken":   {func(np *networkingv1.NetworkPolicy) { delete(np.Labels, LabelPolicy) }, "the label fqdnegress.dev/policy is missing"},
		"a label changed": {func(np *networkingv1.NetworkPolicy) { np.Labels[LabelManagedBy] = "Helm" }, `the label app.kubernetes.io/managed-by is "Helm" instead of "fqdn-egress-controller"`},
		"no owner":        {func(np *networkingv1.NetworkPolicy) { np.OwnerReferences = nil }, "the controller owner reference is missing"},
		"another owner": {func(np *networkingv1.NetworkPolicy) { np.OwnerReferences[0].Kind = "HelmRelease" },
			"the controller owner reference is changed (HelmRelease web)"},
	}
	in := input(policy(on(to("a.example.com"), tcp(443)), on(to("b.example.com"), tcp(22))),
		namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.1", "192.0.2.2"), "b.example.com": answered("192.0.2.9")}))
	plan := Compile(in, start())
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			objects := cluster{}
			objects.apply(t, plan.Steps[0])
			got := objects["web-fqdn"]
			tt.edit(&got)
			if words := Differs(plan.Steps[0].Object, &got); words != tt.want {
				t.Errorf("Differs = %q, want %q", words, tt.want)
			}
			if OwnershipOf(&got, in.Policy.Identity) == Foreign {
				return // it is not ours to repair
			}
			// What differs is written again, and only that.
			in.Live = []networkingv1.NetworkPolicy{got}
			if steps := Compile(in, start()).Steps; (len(steps) > 0) != (tt.want != "") {
				t.Errorf("Differs = %q, and the next plan has the steps %v", tt.want, stepNames(steps))
			}
		})
	}
}

func TestDiffersIsBounded(t *testing.T) {
	sent := owned("web-fqdn")
	got := sent.DeepCopy()
	var ports []networkingv1.NetworkPolicyPort
	for i := range 500 {
		ports = append(ports, npPort("TCP", 1000+2*i, 0))
	}
	values := make([]string, 500)
	for i := range values {
		values[i] = fmt.Sprintf("value-%d", i)
	}
	selector := metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "x", Operator: "In", Values: values}}}
	got.Spec.Egress = []networkingv1.NetworkPolicyEgressRule{{Ports: ports, To: []networkingv1.NetworkPolicyPeer{{PodSelector: &selector}}}}
	words := Differs(sent, got)
	got.Spec.PodSelector = selector
	for _, w := range []string{words, Differs(sent, got)} {
		if len(w) > 500 || !strings.Contains(w, "...") {
			t.Errorf("%d bytes: %s", len(w), w)
		}
	}
}

// TestSpellingIsNoDifference: an address that somebody spells otherwise is neither told nor written again.
func TestSpellingIsNoDifference(t *testing.T) {
	r := on(to("a.example.com"), tcp(443))
	r.To = append(r.To, block("2001:DB8::7/128"))
	in := input(policy(r), namesOf(t, map[string]Name{"a.example.com": answered("2001:db8::1", "2001:db8::7")}))
	objects := cluster{}
	sent := objects.run(t, in, start()).Steps[0].Object
	for _, spelled := range []string{"2001:DB8:0::1/128", "2001:0db8::1/128"} {
		np := objects["web-fqdn"]
		np.Spec.Egress[1].To[1].IPBlock.CIDR = spelled
		objects["web-fqdn"] = np
		in.Live = objects.list()
		if steps := Compile(in, start()).Steps; len(steps) > 0 {
			t.Errorf("%s: %v", spelled, stepNames(steps))
		}
		if words := Differs(sent, &np); words != "" {
			t.Errorf("%s: Differs = %q", spelled, words)
		}
	}
}
