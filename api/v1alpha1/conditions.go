// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// The condition types of a policy. Each is always present once the policy was first seen, and True or False, never
// Unknown: what is not known yet is Pending. docs/fqdnegresspolicy.md says what to do about each reason.
const (
	// ConditionReady is True while ConditionResolved and ConditionProgrammed are. True: ReasonReady. False: the reason and
	// the message of the other that is False, ConditionProgrammed first.
	ConditionReady = "Ready"
	// ConditionResolved is True while every name and pattern of the policy is Resolved or Stale. True: ReasonResolved,
	// ReasonNoNames. False, worst first: ReasonResolutionFailed, ReasonNameNotFound, ReasonPending,
	// ReasonWildcardsUnobserved.
	ConditionResolved = "Resolved"
	// ConditionProgrammed is True while the NetworkPolicies in the API match the spec and the known addresses. True:
	// ReasonProgrammed, ReasonAudit. False, most pressing first: ReasonConflict, ReasonContested, ReasonWriteFailed,
	// ReasonLimitReached.
	ConditionProgrammed = "Programmed"
)

// ReasonReady is used with ConditionReady while it is True.
const ReasonReady = "Ready"

// The reasons of ConditionResolved.
const (
	// ReasonResolved is used while it is True and the policy lists a name.
	ReasonResolved = "Resolved"
	// ReasonNoNames is used while it is True because the policy lists no name.
	ReasonNoNames = "NoNames"
	// ReasonPending is used when a name was neither answered nor failed yet.
	ReasonPending = "Pending"
	// ReasonNameNotFound is used when a name does not exist or has no addresses (NXDOMAIN, NODATA).
	ReasonNameNotFound = "NameNotFound"
	// ReasonResolutionFailed is used when a name has no addresses because of errors.
	ReasonResolutionFailed = "ResolutionFailed"
	// ReasonWildcardsUnobserved is used when a wildcard is listed and nothing observes names.
	ReasonWildcardsUnobserved = "WildcardsUnobserved"
)

// The reasons of ConditionProgrammed.
const (
	// ReasonProgrammed is used while it is True and the mode is Enforce.
	ReasonProgrammed = "Programmed"
	// ReasonAudit is used while it is True because the mode is Audit and no NetworkPolicy of ours is left.
	ReasonAudit = "Audit"
	// ReasonConflict is used when a NetworkPolicy that is not ours has a name that we need.
	ReasonConflict = "Conflict"
	// ReasonContested is used while somebody keeps changing what we write.
	ReasonContested = "Contested"
	// ReasonWriteFailed is used when the API server refused a write; the message holds its own.
	ReasonWriteFailed = "WriteFailed"
	// ReasonLimitReached is used when addresses were left out because of a limit.
	ReasonLimitReached = "LimitReached"
)
