// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package dnsmsg makes DNS questions and reads what answers them. It is pure: bytes and values in, values out, no sockets and
// no clock. Nothing else of the program knows how a message looks.
//
// Three steps lead from bytes to an answer, each with less trust to lose:
//
//	Query.Rejects  is it an answer to our query at all? Compares ID and question, and unpacks nothing
//	Unpack         is it a whole message? Bounded in what it takes
//	Read           what does it say about the question? An Answer, or an Error: then it says nothing
package dnsmsg
