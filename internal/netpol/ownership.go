// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Labels of every generated NetworkPolicy.
const (
	// LabelManagedBy is one of the labels that Kubernetes recommends; its value is ManagedBy.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	// LabelPolicy has the name of the policy.
	LabelPolicy = group + "/policy"
	// LabelKind has the kind of the policy (Kind.Label). Objects of FQDNEgressPolicies have none: versions that knew no other
	// kind wrote them so, and to add it to all of them would be a write of each at an upgrade.
	LabelKind = group + "/kind"
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
	// UID (the policy was deleted and created again) or our LabelPolicy and LabelKind and no controller owner (deleted with
	// --cascade=orphan). LabelManagedBy is not asked for: deployment tools write it too, and over ours.
	Adoptable
)

// OwnershipOf says whose np is. A NetworkPolicy of another namespace is Foreign.
func OwnershipOf(np *networkingv1.NetworkPolicy, id Identity) Ownership {
	if np.Namespace != id.Namespace {
		return Foreign
	}
	controller := metav1.GetControllerOfNoCopy(np)
	named := controller != nil && id.Kind.isOf(controller) && controller.Name == id.Name
	if named && controller.UID == id.UID {
		return Ours
	}
	if _, ok := id.indexOf(np.Name); !ok {
		return Foreign
	}
	if named || controller == nil && id.Kind.labelOf(np) == id.Name {
		return Adoptable
	}
	return Foreign
}

// PoliciesOf returns the names of the policies of a kind that np concerns: that of its controller owner, that of its label,
// and the one that would give an object this name. These may be three: a copy with the label of one policy may be in the
// way of another. For the mapping of watch events; it claims nothing about ownership. Policies of a namespaced kind are
// those of the namespace of np.
func PoliciesOf(np *networkingv1.NetworkPolicy, kind Kind) []string {
	var policies []string
	if controller := metav1.GetControllerOfNoCopy(np); controller != nil && kind.isOf(controller) {
		policies = append(policies, controller.Name)
	}
	if policy := kind.labelOf(np); policy != "" {
		policies = append(policies, policy)
	}
	if policy, _, ok := kind.parse(np.Name); ok {
		policies = append(policies, policy)
	}
	return distinct(policies, func(policy string) string { return policy })
}

// isOf tells whether ref is to this kind, of whatever version.
func (k Kind) isOf(ref *metav1.OwnerReference) bool {
	theirs, err := schema.ParseGroupVersion(ref.APIVersion)
	if err != nil || ref.Kind != k.Name {
		return false
	}
	ours, err := schema.ParseGroupVersion(k.APIVersion)
	return err == nil && theirs.Group == ours.Group
}

// labelOf returns the policy of this kind that the labels of np name; "" if they name none.
func (k Kind) labelOf(np *networkingv1.NetworkPolicy) string {
	if np.Labels[LabelKind] != k.Label {
		return ""
	}
	return np.Labels[LabelPolicy]
}

// ownerReferences returns refs with the one that makes an object Ours, in the place of an old one of the same policy or at
// the end. refs is not changed.
//
// blockOwnerDeletion stays unset. With the admission plugin OwnerReferencesPermissionEnforcement, setting it needs the verb
// update on fqdnegresspolicies/finalizers; all that it gives is that a foreground deletion waits for the NetworkPolicies.
func (id Identity) ownerReferences(refs []metav1.OwnerReference) []metav1.OwnerReference {
	ours := metav1.OwnerReference{
		APIVersion: id.Kind.APIVersion, Kind: id.Kind.Name, Name: id.Name, UID: id.UID, Controller: new(true),
	}
	out := make([]metav1.OwnerReference, 0, len(refs)+1)
	placed := false
	for _, ref := range refs {
		if !id.Kind.isOf(&ref) || ref.Name != ours.Name {
			out = append(out, ref)
		} else if !placed {
			out = append(out, ours)
			placed = true
		}
	}
	if !placed {
		out = append(out, ours)
	}
	return out
}

// isLabelled tells whether np has our labels.
func (id Identity) isLabelled(np *networkingv1.NetworkPolicy) bool {
	return np.Labels[LabelManagedBy] == ManagedBy && id.Kind.labelOf(np) == id.Name
}

// labels returns all with ours. It may change all.
func (id Identity) labels(all map[string]string) map[string]string {
	if all == nil {
		all = make(map[string]string, 3)
	}
	all[LabelManagedBy], all[LabelPolicy] = ManagedBy, id.Name
	if all[LabelKind] = id.Kind.Label; id.Kind.Label == "" {
		delete(all, LabelKind)
	}
	return all
}
