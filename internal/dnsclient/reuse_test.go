// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsclient

import (
	"crypto/tls"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

// overStreams runs a test with a server and a client over TCP, and with others over TLS.
func overStreams(t *testing.T, test func(t *testing.T, s secure)) {
	t.Helper()
	t.Run("tcp", func(t *testing.T) {
		t.Parallel()
		s := startSecure(t)
		s.upstream = TCP(s.Addr())
		test(t, s)
	})
	t.Run("tls", func(t *testing.T) {
		t.Parallel()
		test(t, startSecure(t))
	})
}

func TestExchange_KeepsConnections(t *testing.T) {
	overStreams(t, func(t *testing.T, s secure) {
		s.mustResolve(t, 10)
		s.Break("", dnstest.NoEDNS(dns.RcodeFormatError))
		s.mustResolve(t, 1)
		if queries, connections := s.Count(""), s.connections(); queries != 12 || connections != 1 || s.kept() != 1 {
			t.Errorf("%d queries on %d connections, of which %d are kept", queries, connections, s.kept())
		}
		for i, q := range s.Queries("") {
			last, private := i == 11, s.upstream.transport == viaTLS
			if q.Padded != (private && !last) || q.EDNS == last || q.DO || !q.RD {
				t.Errorf("query %d: %+v", i+1, q)
			}
		}
	})
}

// TestExchange_TruncatedAnswersShareConnections: a thousand answers that do not fit over UDP use up no ports.
func TestExchange_TruncatedAnswersShareConnections(t *testing.T) {
	s := startSecure(t)
	s.upstream = UDP(s.Addr())
	s.Break("", dnstest.Truncate(1))
	s.mustResolve(t, 1000)
	// The server ends a connection after 128 queries.
	if udp, tcp, connections := s.CountNet("udp", ""), s.CountNet("tcp", ""), s.connections(); udp != 1000 || tcp != 1000 || connections > 8 {
		t.Errorf("%d queries over UDP, %d over TCP on %d connections", udp, tcp, connections)
	}
}

// TestExchange_KeepsFewConnections: what a burst leaves over is closed.
func TestExchange_KeepsFewConnections(t *testing.T) {
	s := startSecure(t)
	s.upstream = TCP(s.Addr())
	s.together(t, maxIdleConns+10)
	if connections := s.connections(); connections != maxIdleConns+10 || s.kept() != maxIdleConns {
		t.Errorf("%d connections, of which %d are kept; want %d", connections, s.kept(), maxIdleConns)
	}
}

func TestExchange_OneCertificateIsNotAnother(t *testing.T) {
	s := startSecure(t)
	s.mustResolve(t, 1)
	// Another upstream at the same address has proven nothing by that.
	s.upstream = TLS(s.TLSAddr(), given.Name(t, "other.example.net"))
	if got, err := s.resolve(t); ReasonOf(err) != ReasonCertificate {
		t.Errorf("another name got %+v, %v", got, err)
	}
}

// together asks n questions at once, on n connections.
func (s secure) together(t *testing.T, n int, faults ...dnstest.Fault) {
	t.Helper()
	all := make(chan struct{})
	wait := func(dnstest.Query, *dnstest.Reply) { <-all }
	s.Break("", append(faults, wait)...)
	before, errs := s.Count(""), make(chan error)
	for range n {
		go func() {
			_, err := s.resolve(t)
			errs <- err
		}()
	}
	if err := s.WaitFor(t.Context(), before+n, ""); err != nil {
		t.Error(err)
	}
	close(all)
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	s.Heal("")
}

func TestExchange_OneQueryOnAConnection(t *testing.T) {
	overStreams(t, func(t *testing.T, s secure) {
		s.together(t, 3)
		if connections := s.connections(); connections != 3 || s.kept() != 3 {
			t.Errorf("three queries at once came on %d connections, of which %d are kept", connections, s.kept())
		}
		s.mustResolve(t, 3)
		if connections := s.connections(); connections != 3 {
			t.Errorf("three more made them %d", connections)
		}
	})
}

// TestExchange_ServerClosesKeptConnections: a connection that is gone fails no question, and takes those of its age along.
func TestExchange_ServerClosesKeptConnections(t *testing.T) {
	overStreams(t, func(t *testing.T, s secure) {
		s.together(t, 3, dnstest.HangUpAfter())
		s.mustResolve(t, 2)
		if connections := s.connections(); connections != 4 || s.kept() != 1 {
			t.Errorf("%d connections, of which %d are kept; want 4 and 1", connections, s.kept())
		}
	})
}

// TestExchange_ClosedConnectionIsNoAttempt: beside one that is gone, another failure may pass.
func TestExchange_ClosedConnectionIsNoAttempt(t *testing.T) {
	overStreams(t, func(t *testing.T, s secure) {
		s.Break("", dnstest.HangUpAfter())
		s.mustResolve(t, 1)
		s.Break("", dnstest.First(1, dnstest.HangUp()))
		s.mustResolve(t, 1)
		if connections := s.connections(); connections != 3 {
			t.Errorf("%d connections, want 3", connections)
		}
	})
}

// TestExchange_KeptConnectionIsDead: nothing comes on it, not even its end, as when a NAT gateway has forgotten it.
func TestExchange_KeptConnectionIsDead(t *testing.T) {
	overStreams(t, func(t *testing.T, s secure) {
		s.mustResolve(t, 1)
		s.Break("", dnstest.First(1, s.losses().of(dnstest.Drop())))
		s.mustResolve(t, 2)
		if queries, connections := s.Count(""), s.connections(); queries != 4 || connections != 2 {
			t.Errorf("%d queries on %d connections, want 4 on 2", queries, connections)
		}
	})
}

// TestExchange_KeepsNoConnectionAfterAFailure: a late answer would meet the next question.
func TestExchange_KeepsNoConnectionAfterAFailure(t *testing.T) {
	overStreams(t, func(t *testing.T, s secure) {
		s.losses()
		s.Break("", dnstest.WrongID())
		if got, err := s.resolve(t); err == nil || s.kept() != 0 {
			t.Errorf("got %+v, %v; %d connections are kept", got, err, s.kept())
		}
		s.Heal("")
		s.mustResolve(t, 1)
		if connections := s.connections(); connections != attempts+1 || s.kept() != 1 {
			t.Errorf("%d connections, of which %d are kept", connections, s.kept())
		}
	})
}

func TestExchange_ResumesSessions(t *testing.T) {
	var resumed, handshakes atomic.Int64
	ca := dnstest.NewCA(t)
	s := startWith(t, ca, &tls.Config{
		Certificates: []tls.Certificate{ca.Issue(certifiedName, "127.0.0.1")},
		VerifyConnection: func(state tls.ConnectionState) error {
			handshakes.Add(1)
			if state.DidResume {
				resumed.Add(1)
			}
			return nil
		},
	})
	s.Break("", dnstest.HangUpAfter())
	s.mustResolve(t, 3)
	s.upstream = TLS(s.TLSAddr(), fqdn.Name{}) // asks for another certificate
	s.mustResolve(t, 1)
	if handshakes.Load() != 4 || resumed.Load() != 2 {
		t.Errorf("%d of %d handshakes were resumed, want 2 of 4", resumed.Load(), handshakes.Load())
	}
}
