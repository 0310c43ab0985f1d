// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

func TestSteering(t *testing.T) {
	server := dnstest.Start(t)
	s := steering{dns: server, broken: map[string]bool{}}
	for _, step := range []struct{ line, want string }{
		{"set www.example.com 192.0.2.1 192.0.2.2", "NOERROR 192.0.2.1 192.0.2.2"},
		{"servfail www.example.com", "SERVFAIL"},
		{"heal", "NOERROR 192.0.2.1 192.0.2.2"},
		{"servfail", "SERVFAIL"},
		{"heal", "NOERROR 192.0.2.1 192.0.2.2"},
		{"", "NOERROR 192.0.2.1 192.0.2.2"},
		{"unset www.example.com", "NXDOMAIN"},
	} {
		if err := s.do(strings.Fields(step.line)); err != nil {
			t.Fatalf("%q: %v", step.line, err)
		}
		if diff := cmp.Diff(step.want, ask(t, server)); diff != "" {
			t.Errorf("after %q: %s", step.line, diff)
		}
	}
	if err := s.do([]string{"quit"}); !errors.Is(err, errQuit) {
		t.Errorf("quit: %v", err)
	}
}

func TestSteeringSaysWhatIsWrong(t *testing.T) {
	s := steering{dns: dnstest.Start(t), broken: map[string]bool{}}
	for line, want := range map[string]string{
		"dance":                         "set NAME ADDRESS",
		"set":                           "write a name",
		"set www.example.com":           "write a name and its addresses",
		"set www.example.com elsewhere": `"elsewhere" is no address`,
		"drop what?":                    `"what?" is no name`,
	} {
		if err := s.do(strings.Fields(line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", line, err, want)
		}
	}
}

func ask(t *testing.T, server *dnstest.Server) string {
	t.Helper()
	m, err := dns.Exchange(new(dns.Msg).SetQuestion("www.example.com.", dns.TypeA), server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	words := []string{dns.RcodeToString[m.Rcode]}
	for _, rr := range m.Answer {
		words = append(words, rr.(*dns.A).A.String())
	}
	return strings.Join(words, " ")
}
