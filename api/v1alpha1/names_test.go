// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

const nameSpec = "{podSelector: {}, egress: [{to: [{fqdn: %s}]}]}"

var (
	label63 = strings.Repeat("a", 63)
	// name253 is the longest name there is.
	name253 = strings.Join([]string{label63, label63, label63, label63[:61]}, ".")
)

func nameGroups() []group {
	return []group{{
		name: "fqdn",
		spec: nameSpec,
		rows: []row{
			nameRow("IPv4 address", "192.0.2.7", "192.0.2.7.example.com", "such as ipBlock {cidr: 192.0.2.7/32}"),
			nameRow("IPv4 address with a trailing dot", "192.0.2.7.", "192.0.2.7a.", "such as ipBlock {cidr: 192.0.2.7/32}"),
			nameRow("IPv4 address out of range", "192.0.2.777", "192.0.2.777.example", "no name ends in a number"),
			nameRow("IPv6 address", "2001:db8::7", "x2001-db8--7.example.com", "write addresses as ipBlock, such as ipBlock {cidr: '2001:db8::7/128'}"),
			nameRow("IPv4 block", "10.0.0.0/8", "10.0.0.0.example.com", "write addresses as ipBlock"),
			nameRow("IPv6 block", "2001:db8::/32", "db8.example.com", "write addresses as ipBlock"),
			nameRow("address in brackets", "[2001:db8::7]", "db8.example.com", "write the host alone"),
			nameRow("wildcard on an address", "*.192.0.2.7", "*.192.0.2.example", "an address is not a name"),
			nameRow("scheme", "https://www.example.com", "www.example.com", "write the host alone, without scheme, port or path"),
			nameRow("port", "www.example.com:443", "www.example.com", "write the host alone, without scheme, port or path"),
			nameRow("path", "www.example.com/index.html", "www.example.com", "write the host alone, without scheme, port or path"),
			nameRow("space", "www.example .com", "www.example.com", "without ',', ';' or spaces"),
			nameRow("line feed", "www.example.com\n", "www.example.com", "write the host alone, without scheme, port or path"),
			nameRow("NUL", "www\x00.example.com", "www.example.com", "a name consists of letters, digits, '-', '_' and '.'"),
			nameRow("letter outside ASCII", "bücher.example", "xn--bcher-kva.example", "write the A-label, xn--..., such as xn--bcher-kva.example"),
			nameRow("full width dot", "www。example.com", "www.example.com", "write the A-label"),
			nameRow("letter whose lower case is ASCII", "\u212a.example", "k.example", "write the A-label"),
			nameRow("two hosts in one string", "mcr.example.com, *.mcr.example.com", "*.mcr.example.com", "one entry holds one host: write each host as an entry of its own"),
			nameRow("two hosts without a blank", "a.example.com,b.example.com", "b.example.com", "one entry holds one host"),
			nameRow("two hosts and a blank", "a.example.com b.example.com", "b.example.com", "one entry holds one host"),
			nameRow("blank behind", "www.example.com ", "www.example.com", "without ',', ';' or spaces"),
			nameRow("localhost", "localhost", "localhost.example", "a pod always reaches itself, and no policy can keep it from that: leave localhost"),
			nameRow("localhost with a trailing dot", "localhost.", "localhost.example.", "a pod always reaches itself"),
			nameRow("loopback address", "127.0.0.1", "a127.example", "a pod always reaches itself"),
			nameRow("IPv6 loopback address", "::1", "a1.example", "a pod always reaches itself"),
			nameRow("single label", "db", "db.example", "a single label is not a full name: write all of it, such as api.example.com"),
			nameRow("single label with a trailing dot", "db.", "db.example.", "a single label is not a full name"),
			nameRow("bare wildcard", "*", "*.example.com", "'*' alone would mean any host: write the domain, such as *.example.com"),
			nameRow("bare wildcard with a dot", "*.", "*.example.com.", "'*' alone would mean any host"),
			nameRow("wildcard on a top-level domain", "*.com", "*.example.com", "write at least two labels after '*.', such as *.example.com"),
			nameRow("wildcard on a top-level domain with a trailing dot", "*.com.", "*.example.com.", "write at least two labels after '*.'"),
			nameRow("wildcard with more in its label", "*a.example.com", "*.a.example.com", "'*' stands for whole labels, not for a part of one: list the hosts one by one"),
			nameRow("wildcard at the end of a label", "www*.example.com", "www.example.com", "list the hosts one by one"),
			nameRow("wildcard inside a label", "wus2replica*.blob.core.example", "wus2replica1.blob.core.example", "*.example.com would allow every host below example.com"),
			nameRow("wildcard in the middle of a label", "a*b.example.com", "a1b.example.com", "list the hosts one by one"),
			nameRow("wildcard in the middle", "www.*.example.com", "*.example.com", "'*' stands only for the whole first label"),
			nameRow("two wildcards", "*.*.example.com", "*.example.com", "it covers every depth below example.com"),
			nameRow("double wildcard", "**.example.com", "*.example.com", "it covers every depth below example.com"),
			nameRow("dot in front", ".example.com", "*.example.com", "write one dot between labels and none in front; for all names below a domain write *.example.com"),
			nameRow("two dots", "www..example.com", "www.example.com", "a label is empty"),
			nameRow("two dots at the end", "www.example.com..", "www.example.com.", "a label is empty"),
			nameRow("dot alone", ".", "a.b", "a label is empty"),
			nameRow("label of 64 characters", label63+"a.example", label63+".example", "a label is longer than 63 characters"),
			nameRow("name of 254 characters", name253+"a", name253, "a name is longer than 253 characters"),
			nameRow("name of 254 characters with a trailing dot", name253+"a.", name253+".", "a name is longer than 253 characters"),
			nameRow("wildcard of 254 characters", "*."+name253[1:], "*."+name253[2:], "a name is longer than 253 characters"),
			nameRow("hyphen in front", "-www.example.com", "w-ww.example.com", "a label begins or ends with '-'"),
			nameRow("hyphen in front of a label", "www.-example.com", "www.ex--ample.com", "a label begins or ends with '-'"),
			nameRow("hyphen at the end of a label", "www-.example.com", "www--x.example.com", "a label begins or ends with '-'"),
			nameRow("hyphen at the end", "www.example.com-", "www.example.c-m", "a label begins or ends with '-'"),
			nameRow("longer than the schema's bound", strings.Repeat("a.", 150)+"a", strings.Repeat("a.", 126)+"a", "may not be more than 255"),
			nameRow("empty", "", "a.b", "should be at least 1 chars long"),
		},
	}}
}

func nameRow(name, refused, accepted, message string) row {
	return row{name, strconv.Quote(refused), strconv.Quote(accepted), "egress[0].to[0].fqdn", message}
}

// The controller parses what the API server accepted, so the two must agree on every spelling. They differ in one
// point, on the safe side: resolvers take a name that ends in a number for an address (inet_aton), so the API server
// refuses it although DNS could hold it.
func TestNames_APIServerAndParserAgree(t *testing.T) {
	c := newClient(t)
	endsInNumber := regexp.MustCompile(`[.][0-9]+[.]?$`)
	for _, s := range spellings() {
		t.Run(strconv.Quote(s), func(t *testing.T) {
			_, err := fqdn.ParsePattern(s)
			admitted := admitsName(t, c, s)
			if admitted && err != nil {
				t.Errorf("the API server accepts what the parser refuses: %v", err)
			}
			if !admitted && err == nil && !endsInNumber.MatchString(s) {
				t.Error("the API server refuses what the parser accepts")
			}
		})
	}
}

// spellings are all names of the table, both ways with a wildcard, a trailing dot and in upper case, and a few more.
func spellings() []string {
	base := []string{"1e100.net", "_sip._tcp.example.com", "a.b", "_.b", "0x7f.1", "010.1.1.1", "fe80::1%eth0", "a,b.c", "a+b.c", "a_b.c-d.e",
		"a@b.c", "a`b.c", "a^b.c", "a[b.c", "a\\b.c", "a{b.c", "a~b.c", "a\x7f.c", "a'b.c", "a\tb.c", "a\u00a0b.c", "..", "*..", "*.a..b", "*.-a.b"}
	for _, g := range nameGroups() {
		for _, r := range g.rows {
			base = append(base, unquote(r.refused), unquote(r.accepted))
		}
	}
	all := base
	for _, s := range base {
		all = append(all, s+".", "*."+s, strings.ToUpper(s))
	}
	return all
}

func unquote(s string) string {
	s, err := strconv.Unquote(s)
	if err != nil {
		panic(err)
	}
	return s
}

func admitsName(t *testing.T, c client.Client, name string) bool {
	t.Helper()
	o := policy(t, "p", "{podSelector: {}}")
	o.Object["spec"].(map[string]any)["egress"] = []any{map[string]any{"to": []any{map[string]any{"fqdn": name}}}}
	err := dryRun(t, c, o)
	if err != nil && len(causesOf(err)) == 0 {
		t.Fatal(err)
	}
	return err == nil
}

// Upper case and the trailing dot are spellings of a name; letters outside ASCII are not sent in DNS.
func TestEdge27_CaseTrailingDotIDN(t *testing.T) {
	c := newClient(t)
	for name, want := range map[string]bool{
		"WWW.Example.COM":        true,
		"www.example.com.":       true,
		"*.Example.com.":         true,
		"xn--bcher-kva.example":  true,
		"XN--BCHER-KVA.example.": true,
		"bücher.example":         false,
		"BÜCHER.example":         false,
		"www.example.com..":      false,
	} {
		if got := admitsName(t, c, name); got != want {
			t.Errorf("%s: accepted %t, want %t", name, got, want)
		}
	}
}

func TestEdge29_SingleLabelUnderscoreLongNames(t *testing.T) {
	c := newClient(t)
	for name, want := range map[string]bool{
		"db":                        false,
		"db.":                       false,
		"db.shop":                   true,
		"_ldap._tcp.example.com":    true,
		"_.example.com":             true,
		"a_b_.example.com":          true,
		label63 + ".example":        true,
		label63 + "_.example":       false,
		name253:                     true,
		name253 + ".":               true,
		name253 + "_":               false,
		strings.Repeat("a.", 400):   false,
		"*." + label63 + ".example": true,
	} {
		if got := admitsName(t, c, name); got != want {
			t.Errorf("%s: accepted %t, want %t", name, got, want)
		}
	}
}
