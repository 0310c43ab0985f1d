// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"slices"
	"strconv"
	"strings"

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

// isMarked tells whether np has our labels and our owner reference.
func (id Identity) isMarked(np *networkingv1.NetworkPolicy) bool {
	return np.Labels[LabelManagedBy] == ManagedBy && id.Kind.labelOf(np) == id.Name &&
		slices.EqualFunc(np.OwnerReferences, id.ownerReferences(np.OwnerReferences), equalReferences)
}

// mark gives np our labels and our owner reference.
func (id Identity) mark(np *networkingv1.NetworkPolicy) {
	if np.Labels == nil {
		np.Labels = make(map[string]string, 3)
	}
	np.Labels[LabelManagedBy], np.Labels[LabelPolicy] = ManagedBy, id.Name
	if np.Labels[LabelKind] = id.Kind.Label; id.Kind.Label == "" {
		delete(np.Labels, LabelKind)
	}
	np.OwnerReferences = id.ownerReferences(np.OwnerReferences)
}

// ObjectName is the name of the i-th generated object: web-fqdn, web-fqdn-1, ...
//
// No two policies share a name: the text before the last suffix of a kind is the policy.
func (id Identity) ObjectName(i int) string {
	if i == 0 {
		return id.Name + id.Kind.Suffix
	}
	return id.Name + id.Kind.Suffix + "-" + strconv.Itoa(i)
}

// indexOf returns the number of the object of that name; ok is false for a name that ObjectName does not give.
func (id Identity) indexOf(name string) (i int, ok bool) {
	policy, i, ok := id.Kind.parse(name)
	return i, ok && policy == id.Name
}

// parse is the inverse of ObjectName. Names that ObjectName does not give, such as web-fqdn-0 or web-fqdn-01, are not ok.
func (k Kind) parse(name string) (policy string, i int, ok bool) {
	if p, found := strings.CutSuffix(name, k.Suffix); found {
		return p, 0, p != ""
	}
	head, number, found := cutLast(name, k.Suffix+"-")
	if !found || head == "" {
		return "", 0, false
	}
	i, err := strconv.Atoi(number)
	if err != nil || i < 1 || strconv.Itoa(i) != number {
		return "", 0, false
	}
	return head, i, true
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// compareObjectNames puts generated names in the order of their numbers and others after them.
func (id Identity) compareObjectNames(a, b string) int {
	i, generatedA := id.indexOf(a)
	j, generatedB := id.indexOf(b)
	switch {
	case generatedA != generatedB:
		return compareBool(generatedB, generatedA)
	case generatedA && i != j:
		return i - j
	}
	return strings.Compare(a, b)
}

func equalReferences(a, b metav1.OwnerReference) bool {
	return a.APIVersion == b.APIVersion && a.Kind == b.Kind && a.Name == b.Name && a.UID == b.UID &&
		equalFlags(a.Controller, b.Controller) && equalFlags(a.BlockOwnerDeletion, b.BlockOwnerDeletion)
}

func equalFlags(a, b *bool) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}
