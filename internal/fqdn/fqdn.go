// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package fqdn has the two forms in which a policy speaks of hosts: a name, and a wildcard pattern.
//
// Both are values in one canonical spelling, so that they compare with == and serve as map keys: DNS compares names
// without regard to case (RFC 4343), and the trailing dot only says that a name is absolute, which all of ours are.
package fqdn

import "strings"

// Name is an absolute host name in canonical form: lower case ASCII, no trailing dot. It is comparable; the zero
// Name is no name, and no pattern matches it.
type Name struct{ s string }

// ParseName reads a host name of at least two labels, of letters, digits, '-' and '_', in any case, with or without
// the trailing dot. Errors say what to write instead. A name that is canonical already is not copied.
func ParseName(s string) (Name, error) {
	bare := strings.TrimSuffix(s, ".")
	if strings.Contains(bare, "*") {
		return Name{}, refuse(s, "is a wildcard: write one host name, such as www.example.com")
	}
	if err := check(s, bare); err != nil {
		return Name{}, err
	}
	return Name{s: strings.ToLower(bare)}, nil
}

// String returns the canonical form, without the trailing dot; "" for the zero Name.
func (n Name) String() string { return n.s }

// Pattern is an exact name or a wildcard (*.example.com: one or more labels in front, never the apex itself, as in
// NPEP-133). It is comparable; two spellings of the same pattern are equal. The zero Pattern matches nothing.
type Pattern struct {
	s string // canonical, a wildcard with its "*."
}

// wildcard is what a pattern that is no exact name begins with.
const wildcard = "*."

// ParsePattern reads a name, as ParseName does, or a wildcard: "*." and a name. Errors say what to write instead.
// A pattern that is canonical already is not copied.
func ParsePattern(s string) (Pattern, error) {
	bare := strings.TrimSuffix(s, ".")
	if !strings.Contains(bare, "*") {
		n, err := ParseName(s)
		return Pattern(n), err
	}
	if err := checkWildcard(s, bare); err != nil {
		return Pattern{}, err
	}
	return Pattern{s: strings.ToLower(bare)}, nil
}

// Exact returns the name of a pattern that is no wildcard; false for a wildcard and for the zero Pattern.
func (p Pattern) Exact() (Name, bool) {
	if p.s == "" || p.isWildcard() {
		return Name{}, false
	}
	return Name(p), true
}

// Matches tells whether n is one of the names that p stands for.
func (p Pattern) Matches(n Name) bool {
	if p.isWildcard() {
		suffix := p.s[1:] // with its dot: *.example.com is no pattern for notexample.com
		return len(n.s) > len(suffix) && strings.HasSuffix(n.s, suffix)
	}
	return p.s != "" && p.s == n.s
}

// String returns the canonical form; "" for the zero Pattern.
func (p Pattern) String() string { return p.s }

func (p Pattern) isWildcard() bool { return strings.HasPrefix(p.s, wildcard) }

// Pattern returns the pattern that matches n alone.
func (n Name) Pattern() Pattern { return Pattern(n) }
