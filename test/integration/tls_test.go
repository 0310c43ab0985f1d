// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

// TestDNSOverTLS: a server that proves who it is is believed, as an upstream of the process and of a policy. One that
// proves to be somebody else is not, and no plain question is sent in its place.
func TestDNSOverTLS(t *testing.T) {
	ca := dnstest.NewCA(t)
	w := newWorld(t)
	secure := startElsewhere(t, dnstest.TLS(&tls.Config{Certificates: []tls.Certificate{ca.Issue("dns.example.net")}}))
	roots := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(roots, ca.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	secure.Set("www.example.com", shortTTL, "192.0.2.1")
	server := fmt.Sprintf("tls://%s#", secure.TLSAddr())
	trust := []string{"SSL_CERT_FILE=" + roots}
	startWith(t, trust, w.server.Kubeconfig, append(anyUpstream, "--upstreams", server+"dns.example.net")...).ready()

	w.create("web", nil, rule(443, "www.example.com"))
	w.create("right", func(s *v1alpha1.FQDNEgressPolicySpec) {
		s.Upstreams = []v1alpha1.Upstream{v1alpha1.Upstream(server + "dns.example.net")}
	},
		rule(8443, "www.example.com"))
	w.create("wrong", func(s *v1alpha1.FQDNEgressPolicySpec) {
		s.Upstreams = []v1alpha1.Upstream{v1alpha1.Upstream(server + "other.example.net")}
	},
		rule(9443, "www.example.com"))
	w.wantAllowed(443, "192.0.2.1")
	w.wantAllowed(8443, "192.0.2.1")
	status := w.wantState("wrong", "www.example.com", v1alpha1.FQDNFailing)
	if want := "certificate not trusted for A and AAAA from " + server + "other.example.net"; status.Message != want {
		t.Errorf("message %q, want %q", status.Message, want)
	}
	if got := w.allowed(9443); len(got) > 0 {
		t.Errorf("allowed by a server that is somebody else: %v", got)
	}
	if n := secure.CountNet("udp", "") + secure.CountNet("tcp", ""); n > 0 {
		t.Errorf("%d questions in plain text", n)
	}
}
