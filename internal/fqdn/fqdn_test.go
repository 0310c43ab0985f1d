// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package fqdn

import (
	"strings"
	"testing"
)

var (
	label63 = strings.Repeat("a", 63)
	// name253 is the longest name there is.
	name253 = strings.Join([]string{label63, label63, label63, label63[:61]}, ".")
)

func TestParsePattern_Accepts(t *testing.T) {
	for in, want := range map[string]string{
		"www.example.com":            "www.example.com",
		"WWW.Example.COM.":           "www.example.com",
		"*.Example.com.":             "*.example.com",
		"_sip._tcp.example.com":      "_sip._tcp.example.com",
		"xn--bcher-kva.example":      "xn--bcher-kva.example",
		"1e100.net":                  "1e100.net",
		"1.2.3":                      "1.2.3", // not an address
		"a.b":                        "a.b",
		label63 + ".com":             label63 + ".com",
		name253:                      name253,
		name253 + ".":                name253,
		"*." + name253[2:]:           "*." + name253[2:],
		"*.s3.eu-west-1.example.com": "*.s3.eu-west-1.example.com",
	} {
		t.Run(in, func(t *testing.T) {
			p, err := ParsePattern(in)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.String(); got != want {
				t.Errorf("String() = %q, want %q", got, want)
			}
			n, exact := p.Exact()
			if exact == strings.HasPrefix(in, "*") {
				t.Errorf("Exact() = %q, %t", n, exact)
			}
			if byName, err := ParseName(in); exact && (err != nil || byName != n) {
				t.Errorf("ParseName() = %q, %v, want %q", byName, err, n)
			}
		})
	}
}

// The refusals, each with what it tells to write instead.
func TestParsePattern_Refuses(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "is empty",
		".":                     "has an empty label",
		"..":                    "has an empty label",
		"a..b":                  "has an empty label",
		".example.com":          "has an empty label",
		"example.com..":         "has an empty label",
		"*.":                    "write *.example.com",
		"*..example.com":        "has an empty label",
		"localhost":             "is a single label",
		"com.":                  "is a single label",
		"10.0.0.1":              "use ipBlock",
		"10.0.0.1.":             "use ipBlock",
		"10.0.0.0/8":            "use ipBlock",
		"2001:db8::1":           "use ipBlock",
		"[2001:db8::1]":         "use ipBlock",
		"fe80::1%eth0":          "use ipBlock",
		"2001:db8::/32":         "use ipBlock",
		"*.0.0.1":               "", // no address: 0.0.1 has three parts
		"*.10.0.0.1":            "use ipBlock",
		"*":                     "matches every name: write *.example.com",
		"*.com":                 "wildcard on a top-level domain",
		"*.com.":                "wildcard on a top-level domain",
		"*.c!m":                 "letters, digits",
		"a*.example.com":        "not the whole first label",
		"*a.example.com":        "not the whole first label",
		"www.*.com":             "not the whole first label",
		"*.*.example.com":       "not the whole first label",
		"**.example.com":        "not the whole first label",
		label63 + "a.com":       "has a label of 64 characters",
		name253 + "a":           "has 254 characters",
		"*." + name253[1:]:      "has 254 characters",
		"bücher.example":        "write the A-label, xn--...",
		"\u212a.example":        "write the A-label, xn--...", // KELVIN SIGN, whose lower case is an ASCII k
		"*.bücher.example":      "write the A-label, xn--...",
		"a b.example":           "letters, digits",
		"a\x00.example":         "letters, digits",
		"-a.example":            "neither begins nor ends with '-'",
		"a-.example":            "neither begins nor ends with '-'",
		"www.example.-":         "neither begins nor ends with '-'",
		"example.com:443":       "ports belong under ports",
		"https://example.com/x": "host name alone",
	} {
		t.Run(in, func(t *testing.T) {
			p, err := ParsePattern(in)
			if want == "" {
				if err != nil {
					t.Errorf("err = %v, want none", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Fatalf("ParsePattern() = %q, %v; want an error with %q", p, err, want)
			}
			if p != (Pattern{}) {
				t.Errorf("pattern %q beside the error", p)
			}
			if n, err := ParseName(in); err == nil {
				t.Errorf("ParseName() = %q, want an error", n)
			}
		})
	}
}

func TestParseName_RefusesWildcards(t *testing.T) {
	for _, in := range []string{"*.example.com", "*", "a*.example.com"} {
		if n, err := ParseName(in); err == nil || !strings.Contains(err.Error(), "is a wildcard") {
			t.Errorf("ParseName(%q) = %q, %v", in, n, err)
		}
	}
}

func TestParse_QuotesLittleOfALongInput(t *testing.T) {
	_, err := ParsePattern(strings.Repeat("x", 1<<20))
	if err == nil || len(err.Error()) > 250 {
		t.Errorf("err has %d characters", len(err.Error()))
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"www.example.com", "WWW.example.com.", true},
		{"www.example.com", "example.com", false},
		{"*.example.com", "www.example.com", true},
		{"*.example.com", "a.b.example.com", true},
		{"*.example.com", "example.com", false},
		{"*.example.com", "notexample.com", false},
		{"*.example.com", "www.example.com.evil.net", false},
		{"*.EXAMPLE.com.", "www.example.COM", true},
	} {
		if got := mustPattern(t, c.pattern).Matches(mustName(t, c.name)); got != c.want {
			t.Errorf("%s matches %s: %t, want %t", c.pattern, c.name, got, c.want)
		}
	}
}

func TestEdge27_SpellingsOfOnePatternAreEqual(t *testing.T) {
	for _, spellings := range [][]string{
		{"www.example.com", "WWW.EXAMPLE.COM", "www.example.com."},
		{"*.example.com", "*.Example.Com."},
	} {
		for _, s := range spellings {
			if got, want := mustPattern(t, s), mustPattern(t, spellings[0]); got != want {
				t.Errorf("%q is %v, %q is %v", s, got, spellings[0], want)
			}
		}
	}
	if mustPattern(t, "www.example.com") == mustPattern(t, "*.example.com") {
		t.Error("a name equals a wildcard")
	}
}

func TestEdge29_SingleLabelUnderscoreAndLongNames(t *testing.T) {
	if _, err := ParseName("_x.example.com"); err != nil {
		t.Error(err)
	}
	for _, in := range []string{"kubernetes", label63 + "a.com", name253 + "a"} {
		if n, err := ParseName(in); err == nil {
			t.Errorf("ParseName(%q) = %v, want an error", in, n)
		}
	}
}

func TestZeroValuesAreHarmless(t *testing.T) {
	var n Name
	var p Pattern
	if n.String() != "" || p.String() != "" {
		t.Errorf("zero values print as %q and %q", n, p)
	}
	if _, ok := p.Exact(); ok {
		t.Error("the zero Pattern is an exact name")
	}
	if p.Matches(n) || p.Matches(mustName(t, "a.b")) || mustPattern(t, "*.a.b").Matches(n) {
		t.Error("a zero value matches")
	}
}

func TestCanonicalInputIsNotCopied(t *testing.T) {
	for _, in := range []string{"www.example.com", "*.example.com", "1.2.3.example.com", "www.example.com."} {
		if got := testing.AllocsPerRun(100, func() { _, _ = ParsePattern(in) }); got != 0 {
			t.Errorf("ParsePattern(%q): %v allocations", in, got)
		}
	}
}

func mustName(t *testing.T, s string) Name {
	t.Helper()
	n, err := ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func mustPattern(t *testing.T, s string) Pattern {
	t.Helper()
	p, err := ParsePattern(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
