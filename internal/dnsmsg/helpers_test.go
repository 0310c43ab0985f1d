// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsmsg

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

func mustName(t testing.TB, s string) fqdn.Name {
	t.Helper()
	name, err := fqdn.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// questionFor reads "www.example.com A".
func questionFor(t testing.TB, s string) Question {
	t.Helper()
	name, qtype, _ := strings.Cut(s, " ")
	q := Question{Name: mustName(t, name)}
	if qtype == "AAAA" {
		q.Type = AAAA
	}
	return q
}

// answerTo is a recursive server's answer to q, made of zone text: the answer section, and after a line "--" the
// authority section.
func answerTo(t testing.TB, q Question, text string, edits ...func(*dns.Msg)) *dns.Msg {
	t.Helper()
	m := new(dns.Msg)
	m.SetQuestion(q.Host(), q.qtype())
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

func addrs(as ...string) []netip.Addr {
	var out []netip.Addr
	for _, a := range as {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

func rcode(code int) func(*dns.Msg) { return func(m *dns.Msg) { m.Rcode = code } }
func authoritative(m *dns.Msg)      { m.Authoritative, m.RecursionAvailable = true, false }
func notRecursive(m *dns.Msg)       { m.RecursionAvailable = false }

// readAnswer is what a message says, and nothing where it proves nothing.
func readAnswer(q Question, m *dns.Msg) (Answer, error) {
	r, err := Read(q, (*Message)(m))
	if err == nil && r.Unproven != nil {
		err = r.Unproven
	}
	if err != nil {
		return Answer{}, err
	}
	return r.Answer, nil
}

// reasonOf is the reason of an error of this package.
func reasonOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ""
}
