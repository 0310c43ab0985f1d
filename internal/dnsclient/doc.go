// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package dnsclient gets answers over the network: an Upstream is one server and the way to ask it, and Sockets asks it over UDP,
// TCP or TLS. It says nothing about what an answer means (see dnsmsg) nor when to ask (see resolver).
package dnsclient
