// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package fqdn

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// canonical is a second, independent statement of what a canonical name is.
var canonical = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)+$`)

var seeds = []string{
	"www.example.com", "WWW.Example.COM.", "*.example.com", "*.Example.com.", "*", "*.com", "", ".", "..", "a..b",
	"10.0.0.1", "::1", "[::1]", "10.0.0.0/8", "a*.b.c", "*.*.b.c", "-a.b", "a-.b", "_a.b", "bücher.example", "\u212a.b",
	"localhost", "a.b:80", "https://a.b/", "*.", "*..", "xn--bcher-kva.example", "a.\xff", "010.1.1.1",
}

func FuzzParseName(f *testing.F) {
	for _, s := range append(seeds, name253, name253+"a", label63+"a.b") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseName(s)
		if err != nil {
			if n != (Name{}) {
				t.Fatalf("name %q beside the error", n)
			}
			return
		}
		checkCanonical(t, n.String(), s)
		if again, err := ParseName(n.String()); err != nil || again != n {
			t.Fatalf("parsed again: %q, %v", again, err)
		}
	})
}

func FuzzParsePattern(f *testing.F) {
	for i, s := range seeds {
		f.Add(s, seeds[(i+1)%len(seeds)])
		f.Add("*."+s, "x."+s)
	}
	f.Fuzz(func(t *testing.T, s, other string) {
		p, err := ParsePattern(s)
		if err != nil {
			if p != (Pattern{}) {
				t.Fatalf("pattern %q beside the error", p)
			}
			return
		}
		checkCanonical(t, strings.TrimPrefix(p.String(), "*."), strings.TrimPrefix(s, "*."))
		if again, err := ParsePattern(p.String()); err != nil || again != p {
			t.Fatalf("parsed again: %q, %v", again, err)
		}
		for _, candidate := range []string{other, "x." + other, s, strings.TrimPrefix(s, "*."), "x" + strings.TrimPrefix(s, "*")} {
			n, err := ParseName(candidate)
			if got, want := p.Matches(n), err == nil && naiveMatch(p.String(), n.String()); got != want {
				t.Fatalf("%q matches %q: %t, want %t", p, n, got, want)
			}
		}
	})
}

// checkCanonical fails unless got is the canonical spelling of the name that was written.
func checkCanonical(t *testing.T, got, written string) {
	t.Helper()
	if !canonical.MatchString(got) || len(got) > 253 {
		t.Fatalf("%q is not canonical", got)
	}
	if !strings.EqualFold(got, strings.TrimSuffix(written, ".")) {
		t.Fatalf("%q was read as %q", written, got)
	}
	if _, err := netip.ParseAddr(got); err == nil {
		t.Fatalf("%q is an address", got)
	}
}

// naiveMatch compares label by label, from the right.
func naiveMatch(pattern, name string) bool {
	p, n := strings.Split(pattern, "."), strings.Split(name, ".")
	if p[0] != "*" {
		return slices.Equal(p, n)
	}
	p = p[1:]
	return len(n) > len(p) && slices.Equal(p, n[len(n)-len(p):])
}
