// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package fqdn has the two forms in which a policy speaks of hosts: a name, and a wildcard pattern.
package fqdn

// Name is an absolute host name in canonical form: lower case ASCII, no trailing dot. It is comparable; the zero
// Name is no name.
type Name struct{ s string }

// ParseName reads a host name of at least two labels; see ParsePattern for what it refuses.
func ParseName(s string) (Name, error) { panic("contract: to be written") }

// String returns the canonical form, without the trailing dot.
func (n Name) String() string { return n.s }

// Pattern is an exact name or a wildcard (*.example.com: one or more labels in front, never the apex itself, as in
// NPEP-133). It is comparable; two spellings of the same pattern are equal.
type Pattern struct {
	wildcard bool
	name     Name // without "*." for a wildcard
}

// ParsePattern reads a name or a wildcard pattern. Errors say what to write instead.
func ParsePattern(s string) (Pattern, error) { panic("contract: to be written") }

// Exact returns the name of a pattern that is no wildcard.
func (p Pattern) Exact() (Name, bool) { return p.name, !p.wildcard }

// Matches tells whether n is one of the names that p stands for.
func (p Pattern) Matches(n Name) bool { panic("contract: to be written") }

// String returns the canonical form.
func (p Pattern) String() string { panic("contract: to be written") }
