// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/internal/dnsclient"
	"github.com/fqdn-egress/fqdn-egress/internal/dnsmsg"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

const testSOA = "example.com. 100 IN SOA ns.example.com. admin.example.com. 1 3600 600 86400 20"

func mustName(t testing.TB, s string) fqdn.Name {
	t.Helper()
	name, err := fqdn.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// questionFor reads "www.example.com A".
func questionFor(t testing.TB, s string) dnsmsg.Question {
	t.Helper()
	name, qtype, _ := strings.Cut(s, " ")
	q := dnsmsg.Question{Name: mustName(t, name)}
	if qtype == "AAAA" {
		q.Type = dnsmsg.AAAA
	}
	return q
}

// answerTo is a recursive server's answer to q, made of zone text: the answer section, and after a line "--" the
// authority section.
func answerTo(t testing.TB, q dnsmsg.Question, text string, edits ...func(*dns.Msg)) *dns.Msg {
	t.Helper()
	m := new(dns.Msg)
	m.SetQuestion(q.Host(), dns.StringToType[q.Type.String()])
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

func rcode(code int) func(*dns.Msg) { return func(m *dns.Msg) { m.Rcode = code } }
func authoritative(m *dns.Msg)      { m.Authoritative, m.RecursionAvailable = true, false }

func mustUpstream(t testing.TB, s string) dnsclient.Upstream {
	t.Helper()
	u, err := dnsclient.ParseUpstream(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
