// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package netpol turns a policy and the addresses of its names into NetworkPolicies. It is pure: no I/O, no clock, no
// state; the same Input and now give the same Plan.
//
// Compile is the table of contents. Values pass from stage to stage, and each stage stands in a file of its own:
//
//	policy.go     the policy, of whatever kind (policyof.go makes one of the API's)
//	rules.go      its rules, one for each set of ports (rulekey.go)
//	grants.go     what it allows: Grants. Which addresses are believed (guard.go), what was carried (carried.go)
//	live.go       what the live objects have, and whose they are (ownership.go, names.go, dnsrule.go)
//	wanted.go     which grants count now; lingering, the next instant
//	place.go      which object has which address
//	object.go     the objects as they should be, and whether the live ones are (annotation.go, equal.go)
//	steps.go      the writes in an order that breaks nothing (overlap.go)
//	report.go     what is written for what: the Plan
//
// Beside that stand liveness.go, which reads what came of a Plan, and differs.go, which compares what an API server answered
// with what was sent.
package netpol
