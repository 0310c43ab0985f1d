// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package resolver asks upstreams for the addresses of the names that the address book wants, and records their answers.
//
// Every question (name, family, upstream) lives on its own: it is asked when the answer that it last got expires at
// that upstream, and backs off alone when it fails. The look of a message is dnsmsg's concern, and its way over the network
// dnsclient's; the Resolver decides which questions are asked, of whom, when, and whose turn it is.
//
//	subject   cohort.go     a name in a view; wanted.go: the names that are wanted, and by which tenants
//	view      views.go      the upstreams of the process, or the servers that policies name; places.go: for how many there is room
//	lane      lane.go       the queues of one upstream; fairness.go: whose turn it is, and which worker a tenant may have;
//	                        budget.go: how often its server may be asked; window.go: how many questions at once
//	query     schedule.go   a question to an upstream, and when it is due; settle.go: what its answer changes
//	phase     phase.go      when the entry ends that its cache has; poll.go: when to ask again therefore
//
// One goroutine owns all of these (Resolver.loop). A query goes round:
//
//	due heap → lane.push → lane.take → worker: Exchanger, dnsmsg.Read → settle → book.Record, book.Fail → due heap
package resolver
