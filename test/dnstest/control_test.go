// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnstest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

// command sends one to the control of s and returns the status and what was said.
func command(s *dnstest.Server, method, path, body string) (status int, said string) {
	w := httptest.NewRecorder()
	dnstest.Control(s).ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	text, _ := io.ReadAll(w.Result().Body)
	return w.Code, strings.TrimSpace(string(text))
}

func TestControl(t *testing.T) {
	s := dnstest.Start(t)
	for _, step := range []struct {
		method, path, body string
		rcode              int
		addresses          []string
	}{
		{"PUT", "/names/www.example.com", `{"ttlSeconds": 7, "addresses": ["192.0.2.1", "192.0.2.2", "2001:db8::1"]}`,
			dns.RcodeSuccess, []string{"192.0.2.1", "192.0.2.2"}},
		{"PUT", "/names/www.example.com", `{"ttlSeconds": 7, "addresses": ["192.0.2.3"]}`, dns.RcodeSuccess, []string{"192.0.2.3"}},
		{"PUT", "/failures/www.example.com", `{"rcode": "SERVFAIL"}`, dns.RcodeServerFailure, nil},
		{"DELETE", "/failures/www.example.com", "", dns.RcodeSuccess, []string{"192.0.2.3"}},
		{"PUT", "/failures/*", `{"rcode": "REFUSED"}`, dns.RcodeRefused, nil},
		{"DELETE", "/failures/*", "", dns.RcodeSuccess, []string{"192.0.2.3"}},
		{"PUT", "/names/www.example.com", `{"perAnswer": 1, "addresses": ["192.0.2.4", "192.0.2.5"]}`, dns.RcodeSuccess, []string{"192.0.2.4"}},
		{"PUT", "/names/www.example.com", `{"ttlSeconds": 7}`, dns.RcodeSuccess, nil},
		{"DELETE", "/names/www.example.com", "", dns.RcodeNameError, nil},
	} {
		if status, said := command(s, step.method, step.path, step.body); status != http.StatusOK {
			t.Fatalf("%s %s %s: %d %s", step.method, step.path, step.body, status, said)
		}
		answer := ask(t, s, "www.example.com", dns.TypeA)
		var addresses []string
		for _, rr := range answer.Answer {
			addresses = append(addresses, rr.(*dns.A).A.String())
		}
		if diff := cmp.Diff(step.addresses, addresses); diff != "" || answer.Rcode != step.rcode {
			t.Errorf("after %s %s %s: %s%s", step.method, step.path, step.body, dns.RcodeToString[answer.Rcode], diff)
		}
	}
}

func TestControlDropsAnswers(t *testing.T) {
	s := dnstest.Start(t)
	s.Set("www.example.com", 0, "192.0.2.1")
	if status, said := command(s, "PUT", "/failures/www.example.com", `{"drop": true}`); status != http.StatusOK {
		t.Fatal(status, said)
	}
	if _, err := exchange(t, s, "udp", "www.example.com", dns.TypeA); err == nil {
		t.Error("there was an answer")
	}
}

func TestControlRefusesWhatItDoesNotUnderstand(t *testing.T) {
	s := dnstest.Start(t)
	s.Set("www.example.com", 0, "192.0.2.1")
	for path, bodies := range map[string][]string{
		"/names/www.example.com": {
			"", "{", `{"ttl": 1}`, `{"ttlSeconds": -1}`, `{"ttlSeconds": 2147483648}`, `{"addresses": ["192.0.2"]}`, `{"addresses": "192.0.2.1"}`,
			`{"perAnswer": -1}`,
		},
		"/failures/www.example.com": {"", "{}", `{"rcode": "BROKEN"}`, `{"rcode": "SERVFAIL", "drop": true}`, `{"drop": false}`},
	} {
		for _, body := range bodies {
			if status, said := command(s, "PUT", path, body); status != http.StatusBadRequest || said == "" {
				t.Errorf("PUT %s %s: %d %q", path, body, status, said)
			}
		}
	}
	if answer := ask(t, s, "www.example.com", dns.TypeA); len(answer.Answer) != 1 {
		t.Errorf("what was refused changed the answer: %v", answer)
	}
}
