// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Kind is the kind of the namespaced policy, as it stands in owner references.
const Kind = "FQDNEgressPolicy"

// FQDNEgressPolicy lets the pods that it selects reach the hosts that it names.
// The controller resolves the names and keeps NetworkPolicies of the same namespace true to them.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=fep,categories=all
type FQDNEgressPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   FQDNEgressPolicySpec   `json:"spec"`
	Status FQDNEgressPolicyStatus `json:"status,omitempty"`
}

// FQDNEgressPolicyList is a list of FQDNEgressPolicy.
//
// +kubebuilder:object:root=true
type FQDNEgressPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []FQDNEgressPolicy `json:"items"`
}

// FQDNEgressPolicySpec says which pods may reach which hosts.
type FQDNEgressPolicySpec struct {
	// podSelector selects the pods of this namespace that the policy is for; {} selects all of them.
	PodSelector LabelSelector `json:"podSelector"`

	// egress lists what the selected pods may reach. Nothing listed: nothing but the cluster DNS.
	Egress []EgressRule `json:"egress,omitempty"`

	// clusterDNS says whether the pods may also reach the cluster's DNS.
	ClusterDNS ClusterDNS `json:"clusterDNS,omitempty"`

	// allowedPrivateCIDRs lists the private blocks that answers may point into.
	AllowedPrivateCIDRs []CIDR `json:"allowedPrivateCIDRs,omitempty"`

	// retentionSeconds is how long an address stays after the last answer that held it expired.
	// Unset: the controller's default (--retention).
	RetentionSeconds *int32 `json:"retentionSeconds,omitempty"`

	// mode Enforce writes NetworkPolicies; Audit only resolves and reports.
	Mode Mode `json:"mode,omitempty"`
}

// EgressRule allows every peer of `to` on every port of `ports`.
type EgressRule struct {
	// to lists the peers; at least one.
	To []EgressPeer `json:"to"`
	// ports lists the ports; none means all ports.
	Ports []EgressPort `json:"ports,omitempty"`
}

// EgressPeer is one host name, or one ordinary NetworkPolicy peer.
type EgressPeer struct {
	FQDN              FQDN           `json:"fqdn,omitempty"`
	PodSelector       *LabelSelector `json:"podSelector,omitempty"`
	NamespaceSelector *LabelSelector `json:"namespaceSelector,omitempty"`
	IPBlock           *IPBlock       `json:"ipBlock,omitempty"`
}

// EgressPort has the fields and the meaning of NetworkPolicyPort of networking.k8s.io/v1.
type EgressPort struct {
	Protocol *corev1.Protocol    `json:"protocol,omitempty"`
	Port     *intstr.IntOrString `json:"port,omitempty"`
	EndPort  *int32              `json:"endPort,omitempty"`
}

// IPBlock has the fields and the meaning of IPBlock of networking.k8s.io/v1.
type IPBlock struct {
	CIDR   CIDR   `json:"cidr"`
	Except []CIDR `json:"except,omitempty"`
}

// LabelSelector has the fields and the meaning of metav1.LabelSelector, with the bounds that validation needs.
type LabelSelector struct {
	MatchLabels      map[string]LabelValue      `json:"matchLabels,omitempty"`
	MatchExpressions []LabelSelectorRequirement `json:"matchExpressions,omitempty"`
}

// LabelSelectorRequirement has the fields and the meaning of metav1.LabelSelectorRequirement.
type LabelSelectorRequirement struct {
	Key      string                       `json:"key"`
	Operator metav1.LabelSelectorOperator `json:"operator"`
	Values   []LabelValue                 `json:"values,omitempty"`
}

// FQDN is a host name, or a wildcard pattern such as *.example.com.
type FQDN string

// CIDR is an address block such as 10.1.0.0/16 or fd00:1::/48.
type CIDR string

// LabelValue is the value of a label.
type LabelValue string

// ClusterDNS says whether the DNS rule is part of the generated NetworkPolicy.
// +kubebuilder:validation:Enum=Allow;Omit
type ClusterDNS string

// The values of ClusterDNS.
const (
	ClusterDNSAllow ClusterDNS = "Allow"
	ClusterDNSOmit  ClusterDNS = "Omit"
)

// Mode says whether the policy is enforced.
// +kubebuilder:validation:Enum=Enforce;Audit
type Mode string

// The values of Mode.
const (
	ModeEnforce Mode = "Enforce"
	ModeAudit   Mode = "Audit"
)

// FQDNEgressPolicyStatus is what the controller found and wrote.
type FQDNEgressPolicyStatus struct {
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
	// fqdnCount is the number of distinct names and patterns of the spec.
	FQDNCount int32 `json:"fqdnCount"`
	// addressCount is the number of distinct addresses that the generated NetworkPolicies allow for names.
	AddressCount int32 `json:"addressCount"`
	// networkPolicies are the names of the generated NetworkPolicies.
	NetworkPolicies []string `json:"networkPolicies,omitempty"`
	// fqdns has one entry for each distinct name and pattern of the spec, in the order of the spec.
	FQDNs []FQDNStatus `json:"fqdns,omitempty"`
}

// FQDNStatus is what is known of one name or pattern.
type FQDNStatus struct {
	FQDN         FQDN             `json:"fqdn"`
	State        FQDNState        `json:"state"`
	Message      string           `json:"message,omitempty"`
	AddressCount int32            `json:"addressCount"`
	Addresses    []string         `json:"addresses,omitempty"`
	Refused      []RefusedAddress `json:"refused,omitempty"`
}

// RefusedAddress is an address of an answer that the guard kept out.
type RefusedAddress struct {
	Address string `json:"address"`
	Reason  string `json:"reason"`
}

// FQDNState is the state of one name.
// +kubebuilder:validation:Enum=Pending;Resolved;Stale;NotFound;Failing
type FQDNState string

// The values of FQDNState.
const (
	// FQDNPending: not answered yet; for a wildcard, no name observed yet.
	FQDNPending FQDNState = "Pending"
	// FQDNResolved: an upstream answers it with addresses.
	FQDNResolved FQDNState = "Resolved"
	// FQDNStale: addresses are kept, but the last word of every upstream was an error.
	FQDNStale FQDNState = "Stale"
	// FQDNNotFound: NXDOMAIN or NODATA.
	FQDNNotFound FQDNState = "NotFound"
	// FQDNFailing: no addresses, and errors.
	FQDNFailing FQDNState = "Failing"
)
