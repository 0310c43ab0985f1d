// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/internal/dnsclient"
	"github.com/fqdn-egress/fqdn-egress/internal/dnsmsg"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

const testSOA = "example.com. 100 IN SOA ns.example.com. admin.example.com. 1 3600 600 86400 20"

// questionFor reads "www.example.com A".
func questionFor(t testing.TB, s string) dnsmsg.Question {
	t.Helper()
	name, qtype, _ := strings.Cut(s, " ")
	q := dnsmsg.Question{Name: given.Name(t, name)}
	if qtype == "AAAA" {
		q.Type = dnsmsg.AAAA
	}
	return q
}

// answerTo is a recursive server's answer to q, made of zone text: the answer section, and after a line "--" the
// authority section.
func answerTo(t testing.TB, q dnsmsg.Question, text string, edits ...func(*dns.Msg)) *dns.Msg {
	t.Helper()
	return dnstest.Answer(t, q.Host(), dns.StringToType[q.Type.String()], text, edits...)
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
