// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsclient

import (
	"strings"
	"testing"
)

func TestParseUpstream(t *testing.T) {
	for in, want := range map[string]string{
		"10.96.0.10:53":         "10.96.0.10:53",
		"10.96.0.10":            "10.96.0.10:53",
		"10.96.0.10:5353":       "10.96.0.10:5353",
		"udp://10.96.0.10":      "10.96.0.10:53",
		"tcp://10.96.0.10:53":   "tcp://10.96.0.10:53",
		"tcp://10.96.0.10":      "tcp://10.96.0.10:53",
		"[fd00::a]:53":          "[fd00::a]:53",
		"fd00::a":               "[fd00::a]:53",
		"[fd00::a]":             "[fd00::a]:53",
		"tcp://[fd00::a]:5353":  "tcp://[fd00::a]:5353",
		"fe80::1%eth0":          "[fe80::1%eth0]:53",
		"::ffff:10.96.0.10":     "10.96.0.10:53",
		"[::ffff:10.0.0.10]:53": "10.0.0.10:53",

		"tls://9.9.9.9":                     "tls://9.9.9.9:853",
		"tls://9.9.9.9#dns.quad9.net":       "tls://9.9.9.9:853#dns.quad9.net",
		"tls://9.9.9.9:8853#DNS.quad9.net.": "tls://9.9.9.9:8853#dns.quad9.net",
		"tls://[2620:fe::fe]#dns.quad9.net": "tls://[2620:fe::fe]:853#dns.quad9.net",
		"tls://[fe80::1%eth0]:853":          "tls://[fe80::1%eth0]:853",
		"tls://::ffff:10.96.0.10":           "tls://10.96.0.10:853",
	} {
		u, err := ParseUpstream(in)
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		if u.String() != want {
			t.Errorf("%q is %q, want %q", in, u, want)
		}
		if again, err := ParseUpstream(u.String()); err != nil || again != u {
			t.Errorf("%q read again is %v, %v", u, again, err)
		}
	}
}

func TestParseUpstream_SaysWhatToWrite(t *testing.T) {
	for in, want := range map[string]string{
		"":                 "write an IP address",
		"dns.google":       "write an IP address",
		"dns.google:53":    "write an IP address",
		"10.96.0.10:":      "write an IP address",
		"10.96.0.10:99999": "write an IP address",
		"10.96.0.10:0":     "port 0",
		"0.0.0.0:53":       "not the address of one server",
		"::":               "not the address of one server",
		"224.0.0.251:5353": "not the address of one server",
		"https://10.0.0.1": "unknown scheme",
		"tcp://":           "write an IP address",
		"[fd00::a]:53:53":  "write an IP address",
		"://10.0.0.1":      "unknown scheme",

		"tls://":                          "such as 10.96.0.10:853",
		"tls://#dns.example.net":          "such as 10.96.0.10:853",
		"tls://dns.example.net":           "write an IP address",
		"tls://10.0.0.1:0":                "DNS is port 853",
		"tls://10.0.0.1#":                 "the name after #",
		"tls://10.0.0.1#a b.example.net":  "the name after #",
		"tls://10.0.0.1#*.example.net":    "the name after #",
		"tls://10.0.0.1#10.0.0.1":         "the name after #",
		"tls://10.0.0.1#dns.example.net#": "the name after #",
		"tls://10.0.0.1#" + strings.Repeat("long.", 50) + "example.net": "the name after #",
		"10.0.0.1#dns.example.net":                                      "write host:port, tcp://host:port or tls://host:port#name",
		"tcp://10.0.0.1:853#dns.example.net":                            "write host:port, tcp://host:port or tls://host:port#name",
	} {
		if u, err := ParseUpstream(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %q, %v, want an error with %q", in, u, err, want)
		}
	}
}

func FuzzParseUpstream(f *testing.F) {
	for _, s := range []string{"10.96.0.10:53", "tcp://[fd00::a]:53", "tls://1.1.1.1:853#a.example", "tls://[fd00::a]#A.example.", "tls://::%#a.b", "[fe80::1%eth0]:53", "[", "tcp://", "fe80::1%a]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := ParseUpstream(s)
		if err != nil {
			return
		}
		if again, err := ParseUpstream(u.String()); err != nil || again != u {
			t.Fatalf("%q gives %q, which gives %q, %v", s, u, again, err)
		}
	})
}
