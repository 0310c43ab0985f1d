// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// The condition types of a policy. Each lists its reasons; of several that fit, the first is taken.
const (
	// ConditionReady tells whether the NetworkPolicies are true to the spec of this generation and to what DNS says now. A
	// name without an address does not make it False: ConditionResolved tells that. True: ReasonReady. False: the reason and
	// message of ConditionProgrammed. Unknown: ReasonDNSUnavailable, ReasonPending, and for a minute those of
	// ConditionProgrammed that may be over soon (ReasonContested, ReasonLimitReached) if it was not True before.
	ConditionReady = "Ready"
	// ConditionResolved tells whether every name has an allowed address. True: ReasonResolved, ReasonNoNames. False:
	// ReasonResolutionFailed, ReasonAddressRefused, ReasonNameNotFound, ReasonPending, ReasonWildcardsUnobserved.
	ConditionResolved = "Resolved"
	// ConditionProgrammed tells whether the NetworkPolicies in the API match the spec and the known addresses. True:
	// ReasonProgrammed, ReasonAudit. False: ReasonConflict, ReasonContested, ReasonWriteFailed, ReasonLimitReached. Unknown:
	// ReasonPending, while the first write waits for the names.
	ConditionProgrammed = "Programmed"
	// ConditionStalled is there, and True, only while nothing goes on before a person acts. True: ReasonConflict. Tools
	// that wait give up then (kstatus).
	ConditionStalled = "Stalled"
)

// ReasonReady is used with ConditionReady while it is True.
const ReasonReady = "Ready"

// Reasons of ConditionReady while it is Unknown; ReasonPending is also one of the other two.
const (
	// ReasonDNSUnavailable is used when no upstream has answered anything since the controller started.
	ReasonDNSUnavailable = "DNSUnavailable"
	// ReasonPending is used while a name may still get its first answer.
	ReasonPending = "Pending"
)

// Reasons of ConditionResolved.
const (
	// ReasonResolved is used while it is True and the policy lists a name.
	ReasonResolved = "Resolved"
	// ReasonNoNames is used while it is True because the policy lists no name.
	ReasonNoNames = "NoNames"
	// ReasonResolutionFailed is used when a name has no addresses because of errors.
	ReasonResolutionFailed = "ResolutionFailed"
	// ReasonAddressRefused is used when a name has addresses, and none of them may be allowed.
	ReasonAddressRefused = "AddressRefused"
	// ReasonNameNotFound is used when a name does not exist or has no addresses (NXDOMAIN, NODATA).
	ReasonNameNotFound = "NameNotFound"
	// ReasonWildcardsUnobserved is used when a wildcard is listed and nothing observes names.
	ReasonWildcardsUnobserved = "WildcardsUnobserved"
)

// Reasons of ConditionProgrammed.
const (
	// ReasonProgrammed is used while it is True and the mode is Enforce.
	ReasonProgrammed = "Programmed"
	// ReasonAudit is used while it is True because the mode is Audit and no NetworkPolicy of ours is left.
	ReasonAudit = "Audit"
	// ReasonConflict is used when a NetworkPolicy that is not ours has a name that we need.
	ReasonConflict = "Conflict"
	// ReasonContested is used while somebody changes what we write: later, or on its way into the API.
	ReasonContested = "Contested"
	// ReasonWriteFailed is used when the API server refused a write; the message holds its own.
	ReasonWriteFailed = "WriteFailed"
	// ReasonLimitReached is used when addresses were left out because of a limit.
	ReasonLimitReached = "LimitReached"
)
