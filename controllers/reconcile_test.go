// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/controllers/target"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

func TestReconcile_WritesAndReports(t *testing.T) {
	w := reconcilingWith(t, interceptor.Funcs{})
	w.settled()
	if got := w.blocks(); len(got) != 2 {
		t.Fatalf("want the address and the DNS rule, got %v", got)
	}
	if got := conditionOf(w.status(), v1alpha1.ConditionReady); got != "True/Ready" {
		t.Errorf("Ready is %s", got)
	}
	w.wantOutcome("create", "ok", 1)
	w.wantNoEvent()
}

func TestReconcile_SomebodyWroteOrDeletedMeanwhile(t *testing.T) {
	resource := schema.GroupResource{Group: "networking.k8s.io", Resource: "networkpolicies"}
	for name, failure := range map[string]error{
		"wrote":   apierrors.NewConflict(resource, testObject, errors.New("the object has been modified")),
		"deleted": apierrors.NewNotFound(resource, testObject),
	} {
		t.Run(name, func(t *testing.T) {
			var fail error
			w := reconcilingWith(t, onWrite(func(write func() error, _ *networkingv1.NetworkPolicy) error {
				if fail != nil {
					return fail
				}
				return write()
			}))
			w.settled()
			before := w.status()

			fail = failure
			w.answer("192.0.2.1", "192.0.2.2")
			result, err := w.reconcile()
			if err != nil || result.RequeueAfter < time.Second || result.RequeueAfter > 2*time.Second {
				t.Fatalf("got %v, %v; want another try in a second", result, err)
			}
			w.wantOutcome("update", "conflict", 1)
			w.wantOutcome("update", "error", 0)
			if after := w.status(); conditionOf(after, v1alpha1.ConditionProgrammed) != conditionOf(before, v1alpha1.ConditionProgrammed) {
				t.Errorf("the status says %+v of what the next try will mend", after)
			}
			fail = nil
			w.settled()
			if got := w.blocks(); len(got) != 3 {
				t.Errorf("the second try did not write: %v", got)
			}
			w.wantNoEvent()
		})
	}
}

// What the cache does not show yet is read from the API server, and whose it is decides.
func TestReconcile_BehindTheCache(t *testing.T) {
	hidden := interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
		if _, ok := o.(*networkingv1.NetworkPolicy); ok {
			return apierrors.NewNotFound(schema.GroupResource{Resource: "networkpolicies"}, key.Name)
		}
		return c.Get(ctx, key, o, opts...)
	}}
	existing := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: testNamespace, Name: testObject}}
	existing.Spec.Egress = []networkingv1.NetworkPolicyEgressRule{{
		To: []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: "198.51.100.1/32"}}},
	}}

	t.Run("a foreign one is not touched", func(t *testing.T) {
		w := reconcilingWith(t, hidden, existing.DeepCopy())
		if _, err := w.reconcile(); err != nil {
			t.Fatal(err)
		}
		if got := w.blocks(); len(got) != 1 || got[0] != "198.51.100.1/32" {
			t.Errorf("it was written: %v", got)
		}
		status := w.status()
		if conditionOf(status, v1alpha1.ConditionProgrammed) != "False/Conflict" || len(status.NetworkPolicies) != 0 {
			t.Errorf("the status: %+v", status)
		}
	})
	t.Run("ours is updated", func(t *testing.T) {
		ours := existing.DeepCopy()
		ours.Labels = map[string]string{netpol.LabelPolicy: testPolicy}
		w := reconcilingWith(t, hidden, ours)
		if _, err := w.reconcile(); err != nil {
			t.Fatal(err)
		}
		if got := w.blocks(); !strings.Contains(strings.Join(got, " "), "192.0.2.1/32") {
			t.Errorf("it was not written: %v", got)
		}
		w.wantOutcome("create", "conflict", 1)
		w.wantOutcome("update", "ok", 1)
	})
}

// A namespace that is being deleted takes the policy along: no error, no status, no event.
func TestReconcile_NamespaceIsBeingDeleted(t *testing.T) {
	resource := schema.GroupResource{Group: "networking.k8s.io", Resource: "networkpolicies"}
	terminating := apierrors.NewForbidden(resource, testObject, errors.New("namespace shop is being terminated"))
	terminating.ErrStatus.Details.Causes = append(terminating.ErrStatus.Details.Causes,
		metav1.StatusCause{Type: corev1.NamespaceTerminatingCause, Field: "metadata.namespace"})
	for name, failure := range map[string]error{
		"terminating": terminating,
		"gone":        apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, testNamespace),
	} {
		t.Run(name, func(t *testing.T) {
			w := reconcilingWith(t, onWrite(func(func() error, *networkingv1.NetworkPolicy) error { return failure }))
			for range 2 {
				if _, err := w.reconcile(); err != nil {
					t.Fatal(err)
				}
			}
			if status := w.status(); len(status.Conditions) != 0 {
				t.Errorf("a status was written: %+v", status)
			}
			w.wantOutcome("create", "terminating", 2)
			w.wantOutcome("create", "error", 0)
			w.wantNoEvent()
		})
	}
}

func TestReconcile_AStatusErrorHidesNoWriteError(t *testing.T) {
	quota, lost := errors.New("exceeded quota"), errors.New("connection lost")
	intercept := onWrite(func(func() error, *networkingv1.NetworkPolicy) error { return quota })
	intercept.SubResourcePatch = func(context.Context, client.Client, string, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
		return lost
	}
	w := reconcilingWith(t, intercept)
	if _, err := w.reconcile(); !errors.Is(err, quota) || !errors.Is(err, lost) {
		t.Errorf("got %v, want both errors", err)
	}
	w.wantOutcome("create", "error", 1)
}

// Invariant 7: what the API server answers is compared with what was sent.
func TestReconcile_TheAPIServerAltersWhatIsWritten(t *testing.T) {
	altering := true
	w := reconcilingWith(t, onWrite(func(write func() error, np *networkingv1.NetworkPolicy) error {
		if altering {
			np.Spec.Egress = append(np.Spec.Egress, networkingv1.NetworkPolicyEgressRule{
				To: []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: "0.0.0.0/0"}}},
			})
		}
		return write()
	}))
	result := w.settled()
	status := w.status()
	message := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionProgrammed).Message
	if conditionOf(status, v1alpha1.ConditionProgrammed) != "False/Contested" || !strings.Contains(message, "0.0.0.0/0") {
		t.Fatalf("Programmed is %s: %q", conditionOf(status, v1alpha1.ConditionProgrammed), message)
	}
	if result.RequeueAfter <= 0 || result.RequeueAfter > target.ContestedPace+time.Second {
		t.Errorf("it is tried again in %s, want at most %s: no watch event will come", result.RequeueAfter, target.ContestedPace)
	}
	w.wantOutcome("update", "ok", 0) // paced

	altering = false
	w.clock.SetTime(testNow.Add(target.ContestedPace))
	w.settled()
	w.clock.SetTime(testNow.Add(target.ContestedPace + statusInterval))
	w.settled()
	if got := conditionOf(w.status(), v1alpha1.ConditionReady); got != "True/Ready" {
		t.Errorf("Ready is %s although the last answer is as sent", got)
	}
	w.wantOutcome("update", "ok", 1)
	for _, b := range w.blocks() {
		if b == "0.0.0.0/0" {
			t.Error("what was added is still there")
		}
	}
}

// A pace that waits and a first write that waits write nothing, and say when to look again.
func TestReconcile_TheFirstWriteWaitsForItsNames(t *testing.T) {
	w := reconcilingWith(t, interceptor.Funcs{})
	policy := &v1alpha1.FQDNEgressPolicy{}
	if err := w.api.Get(t.Context(), client.ObjectKey{Namespace: testNamespace, Name: testPolicy}, policy); err != nil {
		t.Fatal(err)
	}
	policy.Spec.Egress[0].To = append(policy.Spec.Egress[0].To, v1alpha1.EgressPeer{FQDN: "slow.example.com"})
	if err := w.api.Update(t.Context(), policy); err != nil {
		t.Fatal(err)
	}
	step := func(after, wantNext time.Duration, wantReady string, wantObject bool) {
		t.Helper()
		w.clock.SetTime(testNow.Add(after))
		result, err := w.reconcile()
		if err != nil {
			t.Fatal(err)
		}
		if next := max(result.RequeueAfter-time.Millisecond, 0); next != wantNext {
			t.Errorf("after %s it looks again in %s, want %s", after, next, wantNext)
		}
		if got := conditionOf(w.status(), v1alpha1.ConditionReady); got != wantReady || (w.object() != nil) != wantObject {
			t.Errorf("after %s: Ready %s, NetworkPolicy %v; want %s, %t", after, got, w.object() != nil, wantReady, wantObject)
		}
	}
	const firstStatusWait = 200 * time.Millisecond
	step(0, firstStatusWait, "none", false)
	step(firstStatusWait, target.FirstWriteWait-firstStatusWait, "Unknown/Pending", false)
	step(target.FirstWriteWait, 0, "True/Ready", true)
}

// What a status says of a name and what it says is written for it are of the same moment.
func TestReconcile_AStatusIsOfOneMoment(t *testing.T) {
	w := reconcilingWith(t, interceptor.Funcs{})
	policy := w.policy()
	policy.Spec.Egress[0].To[0].FQDN = "slow.example.com"
	if err := w.api.Update(t.Context(), policy); err != nil {
		t.Fatal(err)
	}
	if _, err := w.targets.Reconcile(t.Context(), testKey()); err != nil {
		t.Fatal(err)
	}
	slow, _ := given.Pattern(t, "slow.example.com").Exact() // is answered before the status is looked at
	for _, family := range []addressbook.Family{addressbook.IPv4, addressbook.IPv6} {
		w.book.Record(addressbook.Key{Name: slow, Family: family, Source: "10.96.0.10:53"},
			addressbook.Answer{Outcome: addressbook.Good, Addrs: given.Addrs("192.0.2.7", "2001:db8::7"), TTL: time.Minute}, w.clock.Now())
	}
	w.clock.SetTime(testNow.Add(time.Second))
	if _, err := w.statuses.Reconcile(t.Context(), testKey().Owner); err != nil {
		t.Fatal(err)
	}
	if got := w.status().FQDNs; len(got) != 1 || got[0].State != v1alpha1.FQDNPending || got[0].AddressCount != 0 {
		t.Errorf("the status says %+v of a name that nothing is written for yet", got)
	}
	w.settled()
	if got := w.status().FQDNs; len(got) != 1 || got[0].State != v1alpha1.FQDNResolved || got[0].AddressCount != 2 {
		t.Errorf("and then %+v", got)
	}
}
