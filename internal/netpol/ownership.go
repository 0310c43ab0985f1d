// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
)

// Labels of every generated NetworkPolicy.
const (
	// LabelManagedBy is one of the labels that Kubernetes recommends; its value is ManagedBy.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	// LabelPolicy has the name of the policy.
	LabelPolicy = v1alpha1.GroupName + "/policy"
	// ManagedBy is the value of LabelManagedBy.
	ManagedBy = "fqdn-egress-controller"
)

// Ownership says whose a NetworkPolicy is, seen from one policy.
type Ownership int

// The values of Ownership.
const (
	// Foreign: somebody else's, or another policy's. It is never touched.
	Foreign Ownership = iota
	// Ours: our controller owner reference, right UID. The name does not matter.
	Ours
	// Adoptable: it has a name that we generate, and either a controller owner reference of our kind and name with an old
	// UID (the policy was deleted and created again) or LabelPolicy and no controller owner (deleted with
	// --cascade=orphan). LabelManagedBy is not asked for: deployment tools write it too, and over ours.
	Adoptable
)

// OwnershipOf says whose np is. A NetworkPolicy of another namespace is Foreign.
func OwnershipOf(np *networkingv1.NetworkPolicy, p *v1alpha1.FQDNEgressPolicy) Ownership {
	if np.Namespace != p.Namespace {
		return Foreign
	}
	controller := metav1.GetControllerOfNoCopy(np)
	named := controller != nil && isPolicyRef(controller) && controller.Name == p.Name
	if named && controller.UID == p.UID {
		return Ours
	}
	if policy, _, ok := parseObjectName(np.Name); !ok || policy != p.Name {
		return Foreign
	}
	if named || controller == nil && np.Labels[LabelPolicy] == p.Name {
		return Adoptable
	}
	return Foreign
}

// PoliciesOf returns the names of the policies of the same namespace that np concerns: that of its controller owner, that of
// its label, and the one that would give an object this name. These may be three: a copy with the label of one policy may be
// in the way of another. For the mapping of watch events; it claims nothing about ownership.
func PoliciesOf(np *networkingv1.NetworkPolicy) []string {
	var policies []string
	if controller := metav1.GetControllerOfNoCopy(np); controller != nil && isPolicyRef(controller) {
		policies = append(policies, controller.Name)
	}
	if policy := np.Labels[LabelPolicy]; policy != "" {
		policies = append(policies, policy)
	}
	if policy, _, ok := parseObjectName(np.Name); ok {
		policies = append(policies, policy)
	}
	return distinct(policies, func(policy string) string { return policy })
}

// isPolicyRef tells whether ref is to our kind, of whatever version.
func isPolicyRef(ref *metav1.OwnerReference) bool {
	gv, err := schema.ParseGroupVersion(ref.APIVersion)
	return err == nil && gv.Group == v1alpha1.GroupName && ref.Kind == v1alpha1.Kind
}
