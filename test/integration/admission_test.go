// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

// openEverything makes the API server add a rule to every NetworkPolicy of the world's namespace, as a platform team's
// admission policy might. It returns when that is in force, and what takes it away again.
func (w *world) openEverything() (remove func()) {
	w.t.Helper()
	name := w.namespace
	policy := &admissionregistrationv1.MutatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
	policy.Spec = admissionregistrationv1.MutatingAdmissionPolicySpec{
		ReinvocationPolicy: admissionregistrationv1.NeverReinvocationPolicy,
		MatchConstraints: &admissionregistrationv1.MatchResources{
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": w.namespace}},
			ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
				Rule: admissionregistrationv1.Rule{
					APIGroups: []string{"networking.k8s.io"}, APIVersions: []string{"v1"}, Resources: []string{"networkpolicies"},
				},
			}}},
		},
		Mutations: []admissionregistrationv1.Mutation{{
			PatchType: admissionregistrationv1.PatchTypeJSONPatch,
			JSONPatch: &admissionregistrationv1.JSONPatch{Expression: `[JSONPatch{op: "add", path: "/spec/egress/-", ` +
				`value: Object.spec.egress{to: [Object.spec.egress.to{ipBlock: Object.spec.egress.to.ipBlock{cidr: "0.0.0.0/0"}}]}}]`},
		}},
	}
	binding := &admissionregistrationv1.MutatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: name}}
	binding.Spec.PolicyName = name
	if err := w.client.Create(w.t.Context(), policy); err != nil {
		w.t.Fatal(err)
	}
	if err := w.client.Create(w.t.Context(), binding); err != nil {
		w.t.Fatal(err)
	}
	removed := false
	remove = func() {
		if removed {
			return
		}
		removed = true
		ctx, cancel := afterTest()
		defer cancel()
		if err := w.client.Delete(ctx, binding); err != nil {
			w.t.Error(err)
		}
		if err := w.client.Delete(ctx, policy); err != nil {
			w.t.Error(err)
		}
	}
	w.t.Cleanup(remove)
	w.waitUntilAdmissionOpens(true)
	return remove
}

// waitUntilAdmissionOpens tries with NetworkPolicies of its own until the API server opens them, or does no more.
func (w *world) waitUntilAdmissionOpens(want bool) {
	w.t.Helper()
	eventually(w.t, func() error {
		probe := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, GenerateName: "probe-"}}
		probe.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}
		probe.Spec.Egress = []networkingv1.NetworkPolicyEgressRule{{To: []networkingv1.NetworkPolicyPeer{{
			IPBlock: &networkingv1.IPBlock{CIDR: "192.0.2.200/32"}}}}}
		if err := w.client.Create(w.t.Context(), probe); err != nil {
			return err
		}
		if err := w.client.Delete(w.t.Context(), probe); err != nil {
			return err
		}
		if got := opensEverything(probe); got != want {
			return fmt.Errorf("the API server opens what it is given: %t, want %t", got, want)
		}
		return nil
	})
}

func opensEverything(np *networkingv1.NetworkPolicy) bool {
	return slices.ContainsFunc(np.Spec.Egress, func(r networkingv1.NetworkPolicyEgressRule) bool {
		return slices.ContainsFunc(r.To, func(p networkingv1.NetworkPolicyPeer) bool { return p.IPBlock != nil && p.IPBlock.CIDR == "0.0.0.0/0" })
	})
}

// The API server alters what it is sent: a later write of the same changes nothing and brings no event, so only the answer
// to the write can tell.
func TestInvariant7_AnAdmissionPolicyThatAltersWhatIsWritten(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", dnstest.TTL(time.Hour), "192.0.2.1") // DNS says nothing new while the test runs
	remove := w.openEverything()
	w.start()
	w.create("web", nil, rule(443, "www.example.com"))
	message := w.wantCondition("web", v1alpha1.ConditionProgrammed, metav1.ConditionFalse, v1alpha1.ReasonContested)
	if !strings.Contains(message, "0.0.0.0/0") || !strings.Contains(message, "web-fqdn") {
		t.Errorf("the message does not say what was changed: %q", message)
	}
	w.wantEvent("web", "Contested")
	if ready := w.condition("web", v1alpha1.ConditionReady); ready.Status == metav1.ConditionTrue {
		t.Errorf("a rule that opens everything counts as ready: %+v", ready)
	}
	if np := w.networkPolicy("web-fqdn"); !opensEverything(np) {
		t.Fatalf("the admission policy did nothing: %+v", np.Spec)
	}

	remove()
	w.waitUntilAdmissionOpens(false)
	awaitFor(t, contestedPace+time.Minute, func() error {
		if np := w.networkPolicy("web-fqdn"); np == nil || opensEverything(np) {
			return fmt.Errorf("what was added is still there")
		}
		p := w.policy("web")
		return conditionIs(p, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	})
	w.wantAllowed(443, "192.0.2.1")
}

// Mode Audit takes the NetworkPolicy away, altered as it is: nothing takes its place that would have to be true first.
func TestInvariant7_AuditEndsWhatAnAdmissionPolicyAlters(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", dnstest.TTL(time.Hour), "192.0.2.1")
	w.openEverything()
	w.start()
	w.create("web", nil, rule(443, "www.example.com"))
	w.wantCondition("web", v1alpha1.ConditionProgrammed, metav1.ConditionFalse, v1alpha1.ReasonContested)
	w.edit("web", func(s *v1alpha1.FQDNEgressPolicySpec) { s.Mode = v1alpha1.ModeAudit })
	w.eventually(func() error {
		if np := w.networkPolicy("web-fqdn"); np != nil {
			return fmt.Errorf("it is still there: %+v", np.Spec)
		}
		return nil
	})
	w.wantCondition("web", v1alpha1.ConditionProgrammed, metav1.ConditionTrue, v1alpha1.ReasonAudit)
}
