// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var byValue = cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{})

func prefixes(all ...string) []netip.Prefix {
	out := []netip.Prefix{}
	for _, s := range all {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func TestPolicyUpstreams(t *testing.T) {
	for args, want := range map[string][]netip.Prefix{
		"":                        {}, // none
		"--policy-upstreams=none": {},
		"--policy-upstreams=any":  nil,
		"--policy-upstreams=10.0.0.53/32, fd00::/8": prefixes("10.0.0.53/32", "fd00::/8"),
	} {
		o, err := parseOptions(splitFlag(args), io.Discard)
		if err != nil {
			t.Errorf("%q: %v", args, err)
			continue
		}
		if diff := cmp.Diff(want, o.parsed.policyUpstreams, byValue); diff != "" {
			t.Errorf("%q (-want +got):\n%s", args, diff)
		}
	}
}

func splitFlag(args string) []string {
	if args == "" {
		return nil
	}
	return []string{args}
}

func TestNAT64Prefixes(t *testing.T) {
	o, err := parseOptions([]string{"--nat64-prefixes=2001:db8:64::/96,2001:db8::/32"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(prefixes("2001:db8:64::/96", "2001:db8::/32"), o.parsed.nat64Prefixes, byValue); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// An error for a flag is one line that names the flag and says what to write.
func TestFlagErrors_SayWhatToWrite(t *testing.T) {
	for flag, says := range map[string]string{
		"--policy-upstreams=some":         "none, any, or blocks such as",
		"--policy-upstreams=10.0.0.53":    "none, any, or blocks such as",
		"--policy-upstreams=":             "none, any, or blocks such as",
		"--nat64-prefixes=2001:db8::":     "such as 2001:db8:64::/96",
		"--nat64-prefixes=10.0.0.0/32":    "no IPv6 prefix",
		"--nat64-prefixes=2001:db8::/33":  "32, 40, 48, 56, 64 or 96",
		"--nat64-prefixes=2001:db8::1/96": "write 2001:db8::/96",
		"--cluster-cidrs=10.244.0.0":      "such as 10.244.0.0/16",
		"--cluster-dns=kube-dns":          "such as 169.254.20.10",
		"--cluster-dns-service=kube-dns":  "such as kube-system/kube-dns",
		"--upstreams=999.1.1.1:99999":     "such as 10.96.0.10:53",
		"--upstreams=10.96.0.10:99999":    "such as 10.96.0.10:53",
		"--upstreams=dns.example.com:53":  "such as 10.96.0.10:53",
		"--upstreams=,":                   "name at least one",
		"--ip-families=v4":                "IPv4",
		"--retention=5":                   "such as 30s",
		"--retention=-5s":                 "such as 30s",
		"--max-qps=many":                  "such as 1000",
		"--max-qps=0":                     "such as",
		"--min-ttl=10m":                   "--max-ttl",
		"--retention=2h":                  "--max-retention",
		"surplus":                         "see --help",
		"--unknown":                       "see --help",
	} {
		_, err := parseOptions([]string{flag}, io.Discard)
		if err == nil {
			t.Errorf("%s is accepted", flag)
			continue
		}
		name, _, _ := strings.Cut(strings.TrimLeft(flag, "-"), "=")
		if text := err.Error(); !strings.Contains(text, says) || !strings.Contains(text, name) || strings.Contains(text, "\n") {
			t.Errorf("%s: want one line with %q and %q, got: %s", flag, name, says, text)
		}
	}
}
