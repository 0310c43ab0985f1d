// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
)

func TestInvariant7_DriftIsRepairedInFull(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1")
	w.start()
	for name, tamper := range map[string]func(*networkingv1.NetworkPolicy){
		"opened": func(np *networkingv1.NetworkPolicy) {
			np.Spec.Egress = append(np.Spec.Egress, networkingv1.NetworkPolicyEgressRule{})
		},
		"peers taken out": func(np *networkingv1.NetworkPolicy) { np.Spec.Egress = np.Spec.Egress[:1] },
		"ports changed": func(np *networkingv1.NetworkPolicy) {
			np.Spec.Egress[1].Ports[0].Port.IntVal = 80
		},
		"other pods": func(np *networkingv1.NetworkPolicy) {
			np.Spec.PodSelector.MatchLabels = map[string]string{"app": "nobody"}
		},
		"ingress added": func(np *networkingv1.NetworkPolicy) {
			np.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{}}
			np.Spec.PolicyTypes = append(np.Spec.PolicyTypes, networkingv1.PolicyTypeIngress)
		},
		"labels gone": func(np *networkingv1.NetworkPolicy) { np.Labels = nil },
		"owner gone":  func(np *networkingv1.NetworkPolicy) { np.OwnerReferences = nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := *w
			w.t = t // first, so that the namespace goes with the subtest
			w.namespace = w.newNamespace("drift")
			w.create("web", nil, rule(443, "www.example.com"))
			w.wantAllowed(443, "192.0.2.1")
			want := w.networkPolicy("web-fqdn")
			np := want.DeepCopy()
			tamper(np)
			np.Annotations = map[string]string{"example.com/note": name} // foreign, and stays
			if err := w.client.Update(t.Context(), np); err != nil {
				t.Fatal(err)
			}
			w.within(atOnce).wantSame("web-fqdn", want)
			if got := w.networkPolicy("web-fqdn").Annotations["example.com/note"]; got != name {
				t.Errorf("a foreign annotation became %q", got)
			}
		})
	}
}

func TestInvariant7_DeletedIsCreatedAgain(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1")
	w.start()
	w.create("web", nil, rule(443, "www.example.com"))
	w.wantAllowed(443, "192.0.2.1")
	want := w.networkPolicy("web-fqdn")
	if err := w.client.Delete(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	w.within(atOnce).wantSame("web-fqdn", want)
}

// wantSame waits until the live object has the spec, labels and owner of want.
func (w *world) wantSame(name string, want *networkingv1.NetworkPolicy) {
	w.t.Helper()
	w.eventually(func() error {
		np := w.networkPolicy(name)
		if np == nil {
			return fmt.Errorf("no NetworkPolicy %s", name)
		}
		if !equality.Semantic.DeepEqual(np.Spec, want.Spec) || !equality.Semantic.DeepEqual(np.Labels, want.Labels) ||
			!equality.Semantic.DeepEqual(np.OwnerReferences, want.OwnerReferences) {
			return fmt.Errorf("not restored: %+v", np)
		}
		return nil
	})
}

func TestInvariant7_Contested(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1")
	p := w.start()
	w.create("web", nil, rule(443, "www.example.com"))
	w.wantAllowed(443, "192.0.2.1")
	want := w.networkPolicy("web-fqdn")
	for range 5 {
		w.tamper("web-fqdn")
		w.within(atOnce).wantSame("web-fqdn", want)
	}
	w.tamper("web-fqdn")
	w.wantCondition("web", v1alpha1.ConditionProgrammed, metav1.ConditionFalse, v1alpha1.ReasonContested)
	w.wantEvent("web", "Contested")
	writes := p.metric("fqdn_egress_writes_total", "networkpolicies")
	// The repair waits now, but a new address does not.
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1", "192.0.2.2")
	w.within(time.Second+atOnce).wantAllowed(443, "192.0.2.1", "192.0.2.2") // a TTL, and no repair's 30 s
	eventually(t, func() error {                                            // the process counts after the API server has shown the write to others
		if got := p.metric("fqdn_egress_writes_total", "networkpolicies"); got != writes+1 {
			return fmt.Errorf("%v writes after the contest began, want one for the new address", got-writes)
		}
		return nil
	})
}

func (w *world) tamper(name string) {
	w.t.Helper()
	np := w.networkPolicy(name)
	np.Spec.Egress = append(np.Spec.Egress, networkingv1.NetworkPolicyEgressRule{})
	if err := w.client.Update(w.t.Context(), np); err != nil {
		w.t.Fatal(err)
	}
}

func TestInvariant6_ForeignNetworkPolicyIsNotTouched(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1")
	foreign := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "web-fqdn",
		Annotations: map[string]string{"example.com/owner": "somebody else"}}}
	if err := w.client.Create(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	p := w.start()
	w.create("web", nil, rule(443, "www.example.com"))
	message := w.wantCondition("web", v1alpha1.ConditionProgrammed, metav1.ConditionFalse, v1alpha1.ReasonConflict)
	if !strings.Contains(message, "web-fqdn") {
		t.Errorf("the message does not name the object: %q", message)
	}
	w.wantEvent("web", "Conflict")
	if got := w.networkPolicy("web-fqdn"); got == nil || got.ResourceVersion != foreign.ResourceVersion {
		t.Fatalf("the foreign NetworkPolicy was written: %+v", got)
	}
	// Audit takes back what the controller wrote, and this it did not write.
	w.edit("web", func(s *v1alpha1.FQDNEgressPolicySpec) { s.Mode = v1alpha1.ModeAudit })
	w.wantCondition("web", v1alpha1.ConditionProgrammed, metav1.ConditionTrue, v1alpha1.ReasonAudit)
	if got := w.networkPolicy("web-fqdn"); got == nil || got.ResourceVersion != foreign.ResourceVersion {
		t.Fatalf("the foreign NetworkPolicy was written: %+v", got)
	}
	w.edit("web", func(s *v1alpha1.FQDNEgressPolicySpec) { s.Mode = v1alpha1.ModeEnforce })
	w.wantCondition("web", v1alpha1.ConditionProgrammed, metav1.ConditionFalse, v1alpha1.ReasonConflict)
	// Deleting the policy does not take it along either.
	if err := w.client.Delete(t.Context(), w.policy("web")); err != nil {
		t.Fatal(err)
	}
	w.eventually(func() error {
		if n := p.metric("fqdn_egress_policies"); n != 0 {
			return fmt.Errorf("the controller knows %v policies after the deletion", n)
		}
		return nil
	})
	if got := w.networkPolicy("web-fqdn"); got == nil || got.ResourceVersion != foreign.ResourceVersion {
		t.Fatalf("the foreign NetworkPolicy went with the policy, or was written: %+v", got)
	}
	// The conflict is seen to end.
	w.create("web", nil, rule(443, "www.example.com"))
	w.wantCondition("web", v1alpha1.ConditionProgrammed, metav1.ConditionFalse, v1alpha1.ReasonConflict)
	if err := w.client.Delete(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	w.wantAllowed(443, "192.0.2.1")
	w.wantCondition("web", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
}

func TestAuditWritesNothingAndTakesBackWhatWasWritten(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1")
	w.start()
	audit := func(s *v1alpha1.FQDNEgressPolicySpec) { s.Mode = v1alpha1.ModeAudit }
	w.create("web", audit, rule(443, "www.example.com"))
	w.wantCondition("web", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	status := w.wantState("web", "www.example.com", v1alpha1.FQDNResolved)
	if len(status.Addresses) != 1 || w.networkPolicy("web-fqdn") != nil {
		t.Errorf("status %+v, NetworkPolicy %v", status, w.networkPolicy("web-fqdn"))
	}
	w.edit("web", func(s *v1alpha1.FQDNEgressPolicySpec) { s.Mode = v1alpha1.ModeEnforce })
	w.wantAllowed(443, "192.0.2.1")
	w.edit("web", audit)
	eventually(t, func() error {
		if np := w.networkPolicy("web-fqdn"); np != nil {
			return fmt.Errorf("still there: %v", np.Name)
		}
		return nil
	})
}

func TestWriteFailedSaysWhatTheAPIServerSays(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1")
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "none"}}
	quota.Spec.Hard = corev1.ResourceList{"count/networkpolicies.networking.k8s.io": resource.MustParse("0")}
	if err := w.client.Create(t.Context(), quota); err != nil {
		t.Fatal(err)
	}
	before := quota.DeepCopy()
	quota.Status.Hard, quota.Status.Used = quota.Spec.Hard, quota.Spec.Hard
	if err := w.client.Status().Patch(t.Context(), quota, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.create("web", nil, rule(443, "www.example.com"))
	message := w.wantCondition("web", v1alpha1.ConditionProgrammed, metav1.ConditionFalse, v1alpha1.ReasonWriteFailed)
	if !strings.Contains(message, "exceeded quota") {
		t.Errorf("the message does not say why: %q", message)
	}
	if err := w.client.Delete(t.Context(), quota); err != nil {
		t.Fatal(err)
	}
	w.wantAllowed(443, "192.0.2.1") // and it goes on by itself
	w.wantCondition("web", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
}
