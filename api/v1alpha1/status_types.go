// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// FQDNEgressPolicyStatus is what the controller found and wrote. It holds no times and keeps its order, so that a policy
// for which nothing changes is not written.
type FQDNEgressPolicyStatus struct {
	// observedGeneration is the metadata.generation that the status is about.
	// +optional
	// +kubebuilder:validation:Minimum=0
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, Resolved and Programmed, each with a reason and a message, and Stalled while only a person can
	// help. Until the controller wrote a status, Ready is Unknown.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// fqdnCount is the number of distinct names and patterns of the spec.
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	FQDNCount int32 `json:"fqdnCount"`

	// unresolvedCount is how many of them are neither Resolved nor Stale: DNS has no address for them now that may be allowed.
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	UnresolvedCount int32 `json:"unresolvedCount"`

	// addressCount is the number of distinct addresses that the NetworkPolicies in the API allow for names; in mode Audit,
	// that they would allow.
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	AddressCount int32 `json:"addressCount"`

	// networkPolicies are the names of the generated NetworkPolicies that are in the API.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=253
	NetworkPolicies []string `json:"networkPolicies,omitempty"`

	// fqdns has one entry for each distinct name and pattern of the spec, in the order of the spec.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=500
	FQDNs []FQDNStatus `json:"fqdns,omitempty"`
}

// FQDNStatus is what is known of one name or pattern.
type FQDNStatus struct {
	// fqdn is the name or pattern in lower case, without a trailing dot.
	// +required
	// +kubebuilder:validation:MaxLength=1024
	FQDN string `json:"fqdn"`

	// state is Pending (not answered yet; for a wildcard: no name observed yet), Resolved (an upstream answers it with
	// addresses), Stale (addresses are kept, but the last word of the upstreams was an error), Refused (an upstream answers
	// it with addresses, and none may be allowed), NotFound (it does not exist or has no addresses) or Failing (no
	// addresses, and errors).
	// +required
	State FQDNState `json:"state"`

	// message says what to know or to do; empty when all is well.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Message string `json:"message,omitempty"`

	// addressCount is the number of addresses that the generated NetworkPolicies allow for it.
	// +required
	// +kubebuilder:validation:Minimum=0
	AddressCount int32 `json:"addressCount"`

	// addresses are the first of them, sorted: 50, or fewer where a policy lists many names.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MaxLength=64
	Addresses []string `json:"addresses,omitempty"`

	// pool tells how much is known of the addresses that the answers take turns with; only while they do.
	// +optional
	Pool *PoolStatus `json:"pool,omitempty"`

	// refused are the first 10 addresses of answers that were kept out, sorted, each with the reason.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	Refused []RefusedAddress `json:"refused,omitempty"`
}

// PoolStatus is what is known of the pool of addresses that a name rotates through.
type PoolStatus struct {
	// seen is the number of its addresses that answers held and that are allowed now.
	// +required
	// +kubebuilder:validation:Minimum=0
	Seen int32 `json:"seen"`

	// estimated is about how many it has: seen, and how many that no answer held are to be expected from how often the seen
	// ones came back (the estimator of Chao, 1987), rounded to two digits. Where some are told less often than others it is a
	// lower bound. Equal to seen, or nearly: the pool is known.
	// +required
	// +kubebuilder:validation:Minimum=0
	Estimated int32 `json:"estimated"`
}

// RefusedAddress is an address of an answer that the guard kept out.
type RefusedAddress struct {
	// address is the address, as the answer had it.
	// +required
	// +kubebuilder:validation:MaxLength=64
	Address string `json:"address"`

	// reason says why it is refused, and what to write to allow it where that is possible.
	// +required
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason"`
}

// FQDNState is the state of one name.
//
// +kubebuilder:validation:MaxLength=64
type FQDNState string

// The values of FQDNState.
const (
	// FQDNPending: not answered yet; for a wildcard, no name observed yet.
	FQDNPending FQDNState = "Pending"
	// FQDNResolved: an upstream answers it with addresses.
	FQDNResolved FQDNState = "Resolved"
	// FQDNStale: addresses are kept, but in one of their families the last word of every upstream was an error.
	FQDNStale FQDNState = "Stale"
	// FQDNRefused: an upstream answers it with addresses, and the guard keeps all of them out.
	FQDNRefused FQDNState = "Refused"
	// FQDNNotFound: NXDOMAIN or NODATA.
	FQDNNotFound FQDNState = "NotFound"
	// FQDNFailing: no addresses, and errors.
	FQDNFailing FQDNState = "Failing"
)
