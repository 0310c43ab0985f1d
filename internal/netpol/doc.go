// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package netpol turns a policy and the addresses of its names into NetworkPolicies. It is pure: no I/O, no clock, no
// state; the same Input and now give the same Plan.
//
// Compile is the table of contents. The stages stand each in a file of its own:
//
//	rules.go      the spec as rules, one for each set of ports (rulekey.go)
//	dnsrule.go    the rule for the cluster DNS, which stands apart
//	guard.go      which addresses of answers may become peers (never.go, embedded.go)
//	wanted.go     the addresses that each rule should have now; lingering, what was carried (carried.go), the next instant
//	live.go       what the live objects have, and whose they are (ownership.go)
//	place.go      which object holds which address
//	object.go     the object as it should be, and whether the live one is
//	steps.go      the writes in an order that breaks nothing (overlap.go)
package netpol
