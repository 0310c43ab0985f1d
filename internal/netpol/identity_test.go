// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// clusterWide is the other kind: its objects have a suffix and a label of their own.
func clusterWide() Kind {
	return Kind{APIVersion: "fqdnegress.dev/v1alpha1", Name: "ClusterFQDNEgressPolicy", Suffix: "-cfqdn", Label: "ClusterFQDNEgressPolicy"}
}

func TestObjectNamesReadBack(t *testing.T) {
	kinds := []Kind{NamespacedKind(), clusterWide()}
	for n, kind := range kinds {
		for _, policy := range []string{"web", "web-fqdn", "web-fqdn-1", "a.b", "web-cfqdn", "web-cfqdn-1"} {
			for _, i := range []int{0, 1, 19} {
				name := Identity{Kind: kind, Name: policy}.ObjectName(i)
				if p, n, ok := kind.parse(name); p != policy || n != i || !ok {
					t.Errorf("parse(%q) = %q, %d, %v", name, p, n, ok)
				}
				if p, _, ok := kinds[1-n].parse(name); ok {
					t.Errorf("%s is also an object of the other kind's policy %s", name, p)
				}
			}
		}
	}
	for _, name := range []string{"", "web", "-fqdn", "-fqdn-1", "web-fqdn-0", "web-fqdn-01", "web-fqdn--1", "web-fqdn-+1", "web-fqdn-x", "web-cfqdn"} {
		if p, n, ok := NamespacedKind().parse(name); ok {
			t.Errorf("parse(%q) = %q, %d; want not ok", name, p, n)
		}
	}
}

func TestOwnershipOf(t *testing.T) {
	tests := map[string]struct {
		name   string
		change func(*networkingv1.NetworkPolicy)
		want   Ownership
	}{
		"our controller reference":           {"web-fqdn", func(*networkingv1.NetworkPolicy) {}, Ours},
		"ours under another name":            {"copy", func(*networkingv1.NetworkPolicy) {}, Ours},
		"ours without labels":                {"web-fqdn", func(np *networkingv1.NetworkPolicy) { np.Labels = nil }, Ours},
		"ours of a later API version":        {"web-fqdn", func(np *networkingv1.NetworkPolicy) { np.OwnerReferences[0].APIVersion = "fqdnegress.dev/v1" }, Ours},
		"old UID":                            {"web-fqdn-1", func(np *networkingv1.NetworkPolicy) { np.OwnerReferences[0].UID = "old" }, Adoptable},
		"old UID under another name":         {"copy", func(np *networkingv1.NetworkPolicy) { np.OwnerReferences[0].UID = "old" }, Foreign},
		"orphaned":                           {"web-fqdn", func(np *networkingv1.NetworkPolicy) { np.OwnerReferences = nil }, Adoptable},
		"orphaned, managed-by overwritten":   {"web-fqdn", func(np *networkingv1.NetworkPolicy) { np.OwnerReferences = nil; np.Labels[LabelManagedBy] = "Helm" }, Adoptable},
		"a user's copy with our labels":      {"copy", func(np *networkingv1.NetworkPolicy) { np.OwnerReferences = nil }, Foreign},
		"no owner, no label":                 {"web-fqdn", func(np *networkingv1.NetworkPolicy) { np.OwnerReferences, np.Labels = nil, nil }, Foreign},
		"another policy's label":             {"web-fqdn", func(np *networkingv1.NetworkPolicy) { np.OwnerReferences = nil; np.Labels[LabelPolicy] = "db" }, Foreign},
		"another controller, with our label": {"web-fqdn", func(np *networkingv1.NetworkPolicy) { np.OwnerReferences[0].Kind = "HelmRelease" }, Foreign},
		"another group's kind of our name":   {"web-fqdn", func(np *networkingv1.NetworkPolicy) { np.OwnerReferences[0].APIVersion = "example.com/v1" }, Foreign},
		"another policy's":                   {"web-fqdn", func(np *networkingv1.NetworkPolicy) { np.OwnerReferences[0].Name = "db" }, Foreign},
		"our reference, not as controller":   {"web-fqdn", func(np *networkingv1.NetworkPolicy) { np.OwnerReferences[0].Controller = nil }, Adoptable},
		"orphaned, of another kind": {"web-fqdn", func(np *networkingv1.NetworkPolicy) {
			np.OwnerReferences = nil
			np.Labels[LabelKind] = "ClusterFQDNEgressPolicy"
		}, Foreign},
		"another namespace": {"web-fqdn", func(np *networkingv1.NetworkPolicy) { np.Namespace = "other" }, Foreign},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			np := owned(tt.name)
			tt.change(np)
			if got := OwnershipOf(np, policy().Identity); got != tt.want {
				t.Errorf("OwnershipOf = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestPoliciesOf(t *testing.T) {
	labelled := func(name, policy string) *networkingv1.NetworkPolicy {
		return &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{LabelPolicy: policy}}}
	}
	another := owned("web-fqdn-2")
	another.OwnerReferences[0].Name = "api"
	another.Labels[LabelPolicy] = "db"
	tests := map[string]struct {
		np   *networkingv1.NetworkPolicy
		want []string
	}{
		"by all three, the same": {owned("web-fqdn"), []string{"web"}},
		"by owner":               {owned("any"), []string{"web"}},
		"by label":               {labelled("any", "web"), []string{"web"}},
		"by name":                {&networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: "web-fqdn-3"}}, []string{"web"}},
		"a copy with another's label, in the way": {labelled("web-fqdn", "other"), []string{"other", "web"}},
		"three that differ":                       {another, []string{"api", "db", "web"}},
		"by none":                                 {&networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: "default-deny"}}, nil},
		"somebody else's controller, a name of ours": {func() *networkingv1.NetworkPolicy {
			np := owned("web-fqdn")
			np.OwnerReferences[0].Kind, np.Labels = "HelmRelease", nil
			return np
		}(), []string{"web"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, PoliciesOf(tt.np, NamespacedKind())); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestKindsKeepApart: a policy of either kind with the same name in the same namespace knows its own objects only.
func TestKindsKeepApart(t *testing.T) {
	in := input(policy(on(to("a.example.com"), tcp(443))), namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.1")}))
	wide := in
	wide.Policy.Kind, wide.Policy.UID = clusterWide(), "uid-2"
	objects := cluster{}
	objects.run(t, in, start())
	objects.run(t, wide, start())
	namespaced, other := objects["web-fqdn"], objects["web-cfqdn"]
	labels := map[string]string{LabelManagedBy: ManagedBy, LabelPolicy: "web", LabelKind: "ClusterFQDNEgressPolicy"}
	if diff := cmp.Diff(labels, other.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if ref := other.OwnerReferences[0]; ref.Kind != "ClusterFQDNEgressPolicy" || ref.UID != "uid-2" {
		t.Errorf("owner reference %v", ref)
	}
	if _, found := namespaced.Labels[LabelKind]; found {
		t.Error("the object of a FQDNEgressPolicy says its kind: at an upgrade all would be written")
	}
	for _, orphaned := range []bool{false, true} {
		for i, np := range []networkingv1.NetworkPolicy{namespaced, other} {
			if orphaned {
				np.OwnerReferences = nil
			}
			ids := []Identity{in.Policy.Identity, wide.Policy.Identity}
			if OwnershipOf(&np, ids[i]) == Foreign || OwnershipOf(&np, ids[1-i]) != Foreign {
				t.Errorf("%s, orphaned %t: Ownership %v and %v", np.Name, orphaned, OwnershipOf(&np, ids[i]), OwnershipOf(&np, ids[1-i]))
			}
			if policies := PoliciesOf(&np, ids[1-i].Kind); len(policies) > 0 {
				t.Errorf("%s, orphaned %t, concerns %v of the other kind", np.Name, orphaned, policies)
			}
		}
	}
	delete(other.Labels, LabelKind)
	objects["web-cfqdn"] = other
	if plan := objects.run(t, wide, start()); len(plan.Steps) != 1 {
		t.Errorf("the label is not restored: %v", stepNames(plan.Steps))
	}
}
