// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// The condition types of a policy. Each is always present once the policy was first seen.
const (
	// ConditionReady is True while ConditionResolved and ConditionProgrammed are.
	ConditionReady = "Ready"
	// ConditionResolved is True while every exact name of the policy is Resolved or Stale.
	ConditionResolved = "Resolved"
	// ConditionProgrammed is True while the NetworkPolicies in the API match the spec and the known addresses.
	ConditionProgrammed = "Programmed"
)

// The reasons of ConditionResolved.
const (
	// ReasonResolved: True, every name has addresses.
	ReasonResolved = "Resolved"
	// ReasonNoNames: True, the policy lists no name.
	ReasonNoNames = "NoNames"
	// ReasonPending: False, a name was neither answered nor failed yet.
	ReasonPending = "Pending"
	// ReasonNameNotFound: False, a name does not exist or has no addresses.
	ReasonNameNotFound = "NameNotFound"
	// ReasonResolutionFailed: False, a name has no addresses because of errors.
	ReasonResolutionFailed = "ResolutionFailed"
	// ReasonWildcardsUnobserved: False, a wildcard is listed and nothing observes names.
	ReasonWildcardsUnobserved = "WildcardsUnobserved"
)

// The reasons of ConditionProgrammed.
const (
	// ReasonProgrammed: True, the NetworkPolicies match.
	ReasonProgrammed = "Programmed"
	// ReasonAudit: True, the mode is Audit and no NetworkPolicy of ours is left.
	ReasonAudit = "Audit"
	// ReasonConflict: False, a NetworkPolicy that is not ours has the name that we need.
	ReasonConflict = "Conflict"
	// ReasonContested: False, somebody keeps changing what we write.
	ReasonContested = "Contested"
	// ReasonWriteFailed: False, the API server refused a write; its message is in the condition's.
	ReasonWriteFailed = "WriteFailed"
	// ReasonLimitReached: False, addresses were left out because of a limit.
	ReasonLimitReached = "LimitReached"
)

// ReasonReady is the reason of ConditionReady while it is True; while it is False it has the reason of the
// condition that is not.
const ReasonReady = "Ready"
