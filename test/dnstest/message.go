// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnstest

import (
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// Answer returns a recursive server's answer to a question. text has its records, a line each, as in a zone file; those after
// "--" stand in the authority section. Text that is no record stops the test.
func Answer(t testing.TB, host string, qtype uint16, text string, edits ...func(*dns.Msg)) *dns.Msg {
	t.Helper()
	m := new(dns.Msg)
	m.SetQuestion(host, qtype)
	m.Response, m.RecursionAvailable = true, true
	answer, authority, _ := strings.Cut(text, "--")
	m.Answer, m.Ns = records(t, answer), records(t, authority)
	for _, edit := range edits {
		edit(m)
	}
	return m
}

func records(t testing.TB, text string) []dns.RR {
	t.Helper()
	var rrs []dns.RR
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		rr, err := dns.NewRR(line)
		if err != nil {
			t.Fatal(err)
		}
		rrs = append(rrs, rr)
	}
	return rrs
}
