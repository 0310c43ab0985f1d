// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package netpol turns a policy and the addresses of its names into NetworkPolicies. It is pure: no I/O, no clock, no
// state; the same Input and now give the same Plan.
//
// Compile is the table of contents. Values pass from stage to stage, and each stage stands in a file of its own:
//
//	policy.go     the policy, of whatever kind (policyof.go makes one of the API's)
//	rules.go      its rules, one for each set of ports (form.go); dnsrule.go, the rule for the cluster DNS, stands apart
//	grants.go     Grants: the peers and ports that it allows, and for which names. Which addresses are believed (guard.go,
//	              screen.go, embedded.go); addresses from before a restart (carried.go)
//	live.go       the live objects: whose they are (identity.go), and the addresses that they have
//	wanted.go     which grants count now; lingering, the next instant
//	place.go      which object has which address
//	object.go     the objects as they should be
//	steps.go      the changes to the live objects, in an order that breaks nothing; write.go writes them, with
//	              the annotation (annotation.go)
//	report.go     the Plan: the addresses that are written for each name
//
// Beside that stand liveness.go, which reads the live objects after a Plan, and differs.go, which compares the answer of an
// API server with the object that was sent.
package netpol
