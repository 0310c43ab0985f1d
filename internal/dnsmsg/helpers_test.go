// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsmsg

import (
	"errors"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

// questionFor reads "www.example.com A".
func questionFor(t testing.TB, s string) Question {
	t.Helper()
	name, qtype, _ := strings.Cut(s, " ")
	q := Question{Name: given.Name(t, name)}
	if qtype == "AAAA" {
		q.Type = AAAA
	}
	return q
}

// answerTo is a recursive server's answer to q, made of zone text: the answer section, and after a line "--" the
// authority section.
func answerTo(t testing.TB, q Question, text string, edits ...func(*dns.Msg)) *dns.Msg {
	t.Helper()
	return dnstest.Answer(t, q.Host(), q.qtype(), text, edits...)
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
