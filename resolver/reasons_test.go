// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"crypto/tls"
	"errors"
	"strings"
	"testing"

	"github.com/fqdn-egress/fqdn-egress/internal/dnsclient"
	"github.com/fqdn-egress/fqdn-egress/internal/dnsmsg"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

// TestExplain: the log tells what is wrong with a certificate, and no names that were asked for.
func TestExplain(t *testing.T) {
	ca := dnstest.NewCA(t)
	s := dnstest.Start(t, dnstest.TLS(&tls.Config{Certificates: []tls.Certificate{ca.Issue("dns.example.net")}}))
	sockets := dnsclient.Sockets{RootCAs: ca.Pool()}
	_, err := sockets.Exchange(t.Context(), questionFor(t, "www.example.com A"), dnsclient.TLS(s.TLSAddr(), given.Name(t, "other.example.net")))
	const want = "certificate not trusted: tls: failed to verify certificate: x509: certificate is valid for dns.example.net, not other.example.net"
	if got := explain(err); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := explain(&dnsmsg.Error{Reason: dnsclient.ReasonTLS, Err: errors.New(strings.Repeat("x", 1000))}); len(got) != maxExplanation {
		t.Errorf("an explanation of %d bytes", len(got))
	}
	if got := explain(&dnsmsg.Error{Reason: dnsmsg.ReasonLoop, Err: errors.New("back at www.example.com")}); got != dnsmsg.ReasonLoop {
		t.Errorf("got %q", got)
	}
}
