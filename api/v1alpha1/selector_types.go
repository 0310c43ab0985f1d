// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// LabelSelector has the fields and the meaning of metav1.LabelSelector, with the bounds that validation needs. What it
// selects has all of matchLabels and matches all of matchExpressions; an empty selector selects everything.
//
// +structType=atomic
type LabelSelector struct {
	// matchLabels lists labels that must be there with these values.
	// ---
	// A schema cannot bound the keys of a map, so CEL can afford to look at no more than their length. A key that is no
	// label key is refused when the NetworkPolicy is written, and reported as WriteFailed.
	//
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule=`self.all(k, k.size() >= 1 && k.size() <= 317)`,message="write a label key: at most 253 characters of prefix, '/', and 1 to 63 characters of name"
	MatchLabels map[string]LabelValue `json:"matchLabels,omitempty"`

	// matchExpressions lists requirements that must all be met.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	MatchExpressions []LabelSelectorRequirement `json:"matchExpressions,omitempty"`
}

// LabelSelectorRequirement has the fields and the meaning of metav1.LabelSelectorRequirement.
//
// +kubebuilder:validation:XValidation:rule=`!(self.operator in ['In', 'NotIn']) || (has(self.values) && self.values.size() > 0)`,message="In and NotIn compare with values: write at least one, or use Exists or DoesNotExist",fieldPath=`.values`,reason=FieldValueRequired
// +kubebuilder:validation:XValidation:rule=`!(self.operator in ['Exists', 'DoesNotExist']) || !has(self.values) || self.values.size() == 0`,message="Exists and DoesNotExist look at the key alone: leave values out, or use In or NotIn",fieldPath=`.values`,reason=FieldValueForbidden
type LabelSelectorRequirement struct {
	// key is the label's key: a name of at most 63 characters, with an optional DNS prefix and '/' in front.
	// +required
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`
	Key string `json:"key"`

	// operator is In, NotIn, Exists or DoesNotExist.
	// +required
	// +kubebuilder:validation:Enum=In;NotIn;Exists;DoesNotExist
	Operator metav1.LabelSelectorOperator `json:"operator"`

	// values are what In and NotIn compare with; none for Exists and DoesNotExist.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=100
	Values []LabelValue `json:"values,omitempty"`
}

// LabelValue is the value of a label: empty, or up to 63 letters, digits, '-', '_' and '.', a letter or digit at each end.
//
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:Pattern=`^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$`
type LabelValue string
