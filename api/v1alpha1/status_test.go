// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
)

// createPolicy stores a policy that goes with the test.
func createPolicy(t *testing.T, c client.Client, name string) *v1alpha1.FQDNEgressPolicy {
	t.Helper()
	p := &v1alpha1.FQDNEgressPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: metav1.NamespaceDefault},
		Spec:       v1alpha1.FQDNEgressPolicySpec{Egress: []v1alpha1.EgressRule{{To: []v1alpha1.EgressPeer{{FQDN: "www.example.com"}}}}},
	}
	if err := c.Create(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remove(t, c, p) })
	return p
}

func fullStatus() v1alpha1.FQDNEgressPolicyStatus {
	condition := func(kind, reason, message string) metav1.Condition {
		return metav1.Condition{
			Type: kind, Status: metav1.ConditionTrue, Reason: reason, Message: message, ObservedGeneration: 1,
			LastTransitionTime: metav1.Unix(1_000_000_000, 0),
		}
	}
	return v1alpha1.FQDNEgressPolicyStatus{
		ObservedGeneration: 1,
		Conditions: []metav1.Condition{
			condition(v1alpha1.ConditionReady, v1alpha1.ReasonReady, "All is well"),
			condition(v1alpha1.ConditionResolved, v1alpha1.ReasonResolved, "Every name has addresses"),
			condition(v1alpha1.ConditionProgrammed, v1alpha1.ReasonProgrammed, "The NetworkPolicies are written"),
		},
		FQDNCount:       1,
		AddressCount:    2,
		NetworkPolicies: []string{"web-fqdn"},
		FQDNs: []v1alpha1.FQDNStatus{{
			FQDN: "www.example.com", State: v1alpha1.FQDNStale, Message: "SERVFAIL from 10.96.0.10:53, keeping 2 addresses",
			AddressCount: 2, Addresses: []string{"192.0.2.1", "2001:db8::1"},
			Refused: []v1alpha1.RefusedAddress{{Address: "127.0.0.1", Reason: "loopback"}},
		}},
	}
}

func TestStatus_IsASubresource(t *testing.T) {
	c := newClient(t)
	p := createPolicy(t, c, "status-subresource")
	p.Status = fullStatus()
	p.Spec.Mode = v1alpha1.ModeAudit
	if err := c.Status().Update(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	stored := read(t, c, p)
	if stored.Generation != 1 || stored.Spec.Mode != v1alpha1.ModeEnforce {
		t.Errorf("a write of the status changed the spec: generation %d, mode %s", stored.Generation, stored.Spec.Mode)
	}
	if diff := cmp.Diff(fullStatus(), stored.Status); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}

	stored.Status = v1alpha1.FQDNEgressPolicyStatus{}
	stored.Spec.Mode = v1alpha1.ModeAudit
	if err := c.Update(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	stored = read(t, c, p)
	if stored.Generation != 2 || stored.Spec.Mode != v1alpha1.ModeAudit {
		t.Errorf("got generation %d, mode %s after a write of the spec", stored.Generation, stored.Spec.Mode)
	}
	if diff := cmp.Diff(fullStatus(), stored.Status); diff != "" {
		t.Errorf("a write of the spec changed the status (-want +got):\n%s", diff)
	}
}

func read(t *testing.T, c client.Client, p *v1alpha1.FQDNEgressPolicy) *v1alpha1.FQDNEgressPolicy {
	t.Helper()
	got := &v1alpha1.FQDNEgressPolicy{}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(p), got); err != nil {
		t.Fatal(err)
	}
	return got
}

// The largest status that the controller may write is accepted. The schema bounds the size of a status, and says nothing of
// what a name or a state may be: a rule of the spec that tightens must not block a status.
func TestStatus_Bounds(t *testing.T) {
	c := newClient(t)
	p := createPolicy(t, c, "status-bounds")
	p.Status = fullStatus()
	name := &p.Status.FQDNs[0]
	name.Addresses = slices.Repeat([]string{"2001:db8:1111:2222:3333:4444:5555:6666"}, 50)
	name.Refused = slices.Repeat(name.Refused, 10)
	name.Message = strings.Repeat("m", 4096)
	name.FQDN, name.State = "localhost", "Fine"
	p.Status.NetworkPolicies = slices.Repeat([]string{"web-fqdn"}, 20)
	p.Status.FQDNs = slices.Repeat(p.Status.FQDNs[:1], 100)
	if err := c.Status().Update(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	for field, exceed := range map[string]func(*v1alpha1.FQDNEgressPolicyStatus){
		"fqdns":              func(s *v1alpha1.FQDNEgressPolicyStatus) { s.FQDNs = slices.Repeat(fullStatus().FQDNs, 501) },
		"fqdns[0].addresses": func(s *v1alpha1.FQDNEgressPolicyStatus) { s.FQDNs[0].Addresses = make([]string, 51) },
		"fqdns[0].refused":   func(s *v1alpha1.FQDNEgressPolicyStatus) { s.FQDNs[0].Refused = make([]v1alpha1.RefusedAddress, 11) },
		"fqdns[0].message":   func(s *v1alpha1.FQDNEgressPolicyStatus) { s.FQDNs[0].Message += "m" },
		"fqdns[0].state": func(s *v1alpha1.FQDNEgressPolicyStatus) {
			s.FQDNs[0].State = v1alpha1.FQDNState(strings.Repeat("s", 65))
		},
		"fqdns[0].fqdn":      func(s *v1alpha1.FQDNEgressPolicyStatus) { s.FQDNs[0].FQDN = strings.Repeat("n", 1025) },
		"networkPolicies":    func(s *v1alpha1.FQDNEgressPolicyStatus) { s.NetworkPolicies = make([]string, 21) },
		"conditions":         func(s *v1alpha1.FQDNEgressPolicyStatus) { s.Conditions = make([]metav1.Condition, 9) },
		"observedGeneration": func(s *v1alpha1.FQDNEgressPolicyStatus) { s.ObservedGeneration = -1 },
		"addressCount":       func(s *v1alpha1.FQDNEgressPolicyStatus) { s.AddressCount = -1 },
	} {
		refused := read(t, c, p)
		exceed(&refused.Status)
		err := c.Status().Update(t.Context(), refused)
		if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "status."+field) {
			t.Errorf("got %v, want status.%s to be invalid", err, field)
		}
	}
}

// A merge patch leaves out what is zero before and after; the columns show zero all the same.
func TestStatus_CountsAreZeroByDefault(t *testing.T) {
	c := newClient(t)
	p := createPolicy(t, c, "status-counts")
	before := p.DeepCopy()
	p.Status.ObservedGeneration = 1
	if err := c.Status().Patch(t.Context(), p, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	out, err := plane.Server(t).Kubectl(t.Context(), "get", "fep", p.Name, "-o", "jsonpath={.status.fqdnCount} {.status.unresolvedCount} {.status.addressCount}")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("0 0 0", string(out)); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

// What people see with kubectl.
func TestKubectl_Columns(t *testing.T) {
	c := newClient(t)
	p := createPolicy(t, c, "columns")
	createPolicy(t, c, "columns-new")
	p.Status = fullStatus()
	if err := c.Status().Update(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	age := regexp.MustCompile(`\b[0-9]+s\b`)
	for _, tc := range []struct {
		args, want string // the age, which nobody can foresee, stands as AGE
	}{
		{"get fep columns", "NAME READY FQDNS UNRESOLVED ADDRESSES AGE columns True 1 0 2 AGE"},
		{"get fep columns -o wide", "NAME READY FQDNS UNRESOLVED ADDRESSES AGE MESSAGE columns True 1 0 2 AGE All is well"},
		{"get fqdnegresspolicies columns-new", "NAME READY FQDNS UNRESOLVED ADDRESSES AGE columns-new Unknown 0 0 0 AGE"},
	} {
		out, err := plane.Server(t).Kubectl(t.Context(), strings.Fields(tc.args)...)
		if err != nil {
			t.Fatal(err)
		}
		got := age.ReplaceAllString(strings.Join(strings.Fields(string(out)), " "), "AGE")
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("kubectl %s (-want +got):\n%s\n%s", tc.args, diff, out)
		}
	}
}

// A tool that waits for Ready (kstatus: Helm, Flux) takes an object without conditions for ready.
func TestStatus_ReadyIsUnknownUntilTheControllerHasLooked(t *testing.T) {
	c := newClient(t)
	p := createPolicy(t, c, "status-new")
	got := read(t, c, p).Status.Conditions
	if len(got) != 1 || got[0].Type != v1alpha1.ConditionReady || got[0].Status != metav1.ConditionUnknown || got[0].Reason != v1alpha1.ReasonPending {
		t.Errorf("conditions of a new policy: %+v", got)
	}
	before := p.DeepCopy()
	p.Status = fullStatus()
	if err := c.Status().Patch(t.Context(), p, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fullStatus(), read(t, c, p).Status); diff != "" {
		t.Errorf("the default is still in the status that was written (-want +got):\n%s", diff)
	}
}

// kubectl delete all --all must not open the pods that a policy restricts.
func TestKubectl_NotInCategoryAll(t *testing.T) {
	createPolicy(t, newClient(t), "in-no-category")
	out, err := plane.Server(t).Kubectl(t.Context(), "get", "all", "-o", "name")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out), "in-no-category") {
		t.Errorf("kubectl get all shows the policy:\n%s", out)
	}
	if !strings.Contains(string(out), "service/kubernetes") {
		t.Errorf("kubectl get all shows nothing:\n%s", out)
	}
}

// kubectl explain tells what a field is for and what it may be.
func TestKubectl_Explain(t *testing.T) {
	awaitOpenAPI(t)
	for field, want := range map[string]string{
		"spec.egress.to.fqdn":      "never example.com itself",
		"spec.allowedPrivateCIDRs": "172.16.0.0/12",
		"status.fqdns.state":       "Stale",
	} {
		out, err := plane.Server(t).Kubectl(t.Context(), "explain", "fep."+field)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(strings.Join(strings.Fields(string(out)), " "), want) {
			t.Errorf("%s: no %q in:\n%s", field, want, out)
		}
	}
}

// awaitOpenAPI waits until the API server has published the schema of the kind, which it does some time after the CRD is
// established.
func awaitOpenAPI(t *testing.T) {
	t.Helper()
	const document = "apis/fqdnegress.dev/v1alpha1"
	err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		out, err := plane.Server(t).Kubectl(ctx, "get", "--raw", "/openapi/v3")
		if err != nil || !strings.Contains(string(out), document) {
			return false, err
		}
		out, err = plane.Server(t).Kubectl(ctx, "get", "--raw", "/openapi/v3/"+document)
		return strings.Contains(string(out), "FQDNEgressPolicy"), err
	})
	if err != nil {
		t.Fatalf("waiting for the schema: %v", err)
	}
}
