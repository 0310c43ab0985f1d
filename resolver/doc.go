// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package resolver asks upstreams for the addresses of the names that the address book wants, and records what each
// upstream said.
//
// Every question (name, family, upstream) lives on its own: it is asked when the answer that it last got expires at
// that upstream, and backs off alone when it fails. How a message looks is dnsmsg's concern, and how it gets over the network that of
// dnsclient; the Resolver decides what to ask, whom, when, and whose turn it is.
package resolver
