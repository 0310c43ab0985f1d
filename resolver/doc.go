// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package resolver asks upstreams for the addresses of the names that the address book wants, and records what each
// upstream said.
//
// Every question (name, family, upstream) lives on its own: it is asked when the answer that it last got expires at
// that upstream, and backs off alone when it fails. The pieces, from the inside out: ReadAnswer judges a message and is
// pure; an Exchanger gets one message over the network; the Resolver decides when to ask.
package resolver
