// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package fqdn has the two forms in which a policy speaks of hosts: a name, and a wildcard pattern.
//
// Both are values in one canonical spelling, so that they compare with == and serve as map keys: DNS compares names
// without regard to case (RFC 4343), and the trailing dot only says that a name is absolute, which all of ours are.
package fqdn

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"
)

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

const (
	// maxName is the longest name in text, without the trailing dot: 255 octets on the wire (RFC 1035 section 2.3.4)
	// less the length octet of the first label and the root label.
	maxName = 253
	// maxLabel is the longest label (RFC 1035 section 2.3.4).
	maxLabel = 63
	// maxQuoted is how many characters of a refused input an error quotes.
	maxQuoted = 100
)

// refuse returns an error about s that ends in what to write instead.
func refuse(s, why string) error { return fmt.Errorf("%.*q %s", maxQuoted, s, why) }

// check tells why bare, which is s without a trailing dot, is no host name. s is what errors quote.
func check(s, bare string) error {
	if s == "" {
		return refuse(s, "is empty: write a host name, such as www.example.com")
	}
	if isAddress(bare) {
		return refuse(s, "is an IP address or block: use ipBlock")
	}
	if len(bare) > maxName {
		return refuse(s, fmt.Sprintf("has %d characters: a host name has at most %d", len(bare), maxName))
	}
	if err := checkCharacters(s, bare); err != nil {
		return err
	}
	for label := range strings.SplitSeq(bare, ".") {
		if why := faultOf(label); why != "" {
			return refuse(s, why)
		}
	}
	if !strings.Contains(bare, ".") {
		return refuse(s, "is a single label: write the whole name, such as www.example.com "+
			"or, for a Service, name.namespace.svc.cluster.local")
	}
	return nil
}

// checkWildcard tells why bare, which has a '*', is no wildcard pattern. s is what errors quote.
func checkWildcard(s, bare string) error {
	if bare == "*" {
		return refuse(s, "matches every name: write *.example.com, or use ipBlock 0.0.0.0/0 and ::/0 for everything")
	}
	apex, ok := strings.CutPrefix(bare, wildcard)
	if !ok || strings.Contains(apex, "*") {
		return refuse(s, "has a * that is not the whole first label: write it as in *.example.com")
	}
	if len(bare) > maxName {
		return refuse(s, fmt.Sprintf("has %d characters: a pattern has at most %d", len(bare), maxName))
	}
	if apex != "" && !strings.Contains(apex, ".") {
		if err := checkCharacters(s, apex); err != nil {
			return err
		}
		return refuse(s, "is a wildcard on a top-level domain: write at least two labels after the *, as in *.example.com")
	}
	if isAddress(apex) {
		return refuse(s, "is a wildcard on an IP address: use ipBlock with a CIDR")
	}
	return check(s, apex)
}

// isAddress tells whether s is an IP address or a CIDR block, in brackets or not.
func isAddress(s string) bool {
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		s = s[1 : len(s)-1]
	}
	if !mayBeAddress(s) {
		return false
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	_, err := netip.ParsePrefix(s)
	return err == nil
}

// mayBeAddress spares almost every name the errors that parsing it as an address would allocate.
func mayBeAddress(s string) bool {
	return strings.ContainsAny(s, ":/") || s != "" && strings.Trim(s, "0123456789.") == ""
}

// checkCharacters tells which character of bare no host name has. s is what errors quote.
func checkCharacters(s, bare string) error {
	for i := range len(bare) {
		switch c := bare[i]; {
		case c == '.' || isHostCharacter(c):
		case c >= utf8.RuneSelf:
			return refuse(s, "has characters outside ASCII: write the A-label, xn--... (RFC 5890)")
		case c == ':' || c == '/':
			return refuse(s, fmt.Sprintf("has a %q: write the host name alone, ports belong under ports", c))
		default:
			return refuse(s, fmt.Sprintf("has a %q: write only letters, digits, '-' and '_'", c))
		}
	}
	return nil
}

// isHostCharacter accepts '_' too: it is no host name by RFC 1123, but names with it have addresses in practice.
func isHostCharacter(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

// faultOf tells what is wrong with the length or the hyphens of a label; "" if nothing is.
func faultOf(label string) string {
	switch {
	case label == "":
		return "has an empty label: write one dot between labels and none in front"
	case len(label) > maxLabel:
		return fmt.Sprintf("has a label of %d characters: a label has at most %d", len(label), maxLabel)
	case label[0] == '-' || label[len(label)-1] == '-':
		return fmt.Sprintf("has the label %q: a label neither begins nor ends with '-' (RFC 1123 section 2.1)", label)
	}
	return ""
}
