// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

func TestExchange_KeepsConnectionsOverTLS(t *testing.T) {
	s := startSecure(t)
	s.mustResolve(t, 10)
	s.Break("", dnstest.NoEDNS(dns.RcodeFormatError))
	s.mustResolve(t, 1)
	if queries, connections := s.CountNet("tls", ""), s.connections(); queries != 12 || connections != 1 || s.kept() != 1 {
		t.Errorf("%d queries on %d connections, of which %d are kept", queries, connections, s.kept())
	}
	for i, q := range s.Queries("") {
		if last := i == 11; q.Padded == last || q.EDNS == last || q.DO || !q.RD {
			t.Errorf("query %d: %+v", i+1, q)
		}
	}
	// Another upstream at the same address has proven nothing by that.
	s.upstream = TLS(s.TLSAddr(), mustName(t, "other.example.net"))
	if got, err := s.resolve(t); reasonOf(err) != ReasonCertificate {
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

func TestExchange_OneQueryOverTLSAtATime(t *testing.T) {
	s := startSecure(t)
	s.together(t, 3)
	if connections := s.connections(); connections != 3 || s.kept() != 3 {
		t.Errorf("three queries at once came on %d connections, of which %d are kept", connections, s.kept())
	}
	s.mustResolve(t, 3)
	if connections := s.connections(); connections != 3 {
		t.Errorf("three more made them %d", connections)
	}
}

// TestExchange_ServerClosesKeptConnections: a connection that is gone fails no question, and takes those of its age along.
func TestExchange_ServerClosesKeptConnections(t *testing.T) {
	s := startSecure(t)
	s.together(t, 3, dnstest.HangUpAfter())
	s.mustResolve(t, 2)
	if connections := s.connections(); connections != 4 || s.kept() != 1 {
		t.Errorf("%d connections, of which %d are kept; want 4 and 1", connections, s.kept())
	}
}

// TestExchange_ClosedConnectionIsNoAttempt: beside one that is gone, another failure may pass.
func TestExchange_ClosedConnectionIsNoAttempt(t *testing.T) {
	s := startSecure(t)
	s.Break("", dnstest.HangUpAfter())
	s.mustResolve(t, 1)
	s.Break("", dnstest.First(1, dnstest.HangUp()))
	s.mustResolve(t, 1)
	if connections := s.connections(); connections != 3 {
		t.Errorf("%d connections, want 3", connections)
	}
}

// TestExchange_KeptConnectionIsDead: nothing comes on it, not even its end, as when a NAT gateway has forgotten it.
func TestExchange_KeptConnectionIsDead(t *testing.T) {
	t.Parallel()
	s := startSecure(t)
	s.mustResolve(t, 1)
	s.Break("", dnstest.First(1, dnstest.Drop()))
	s.impatient()
	s.mustResolve(t, 2)
	if queries, connections := s.Count(""), s.connections(); queries != 4 || connections != 2 {
		t.Errorf("%d queries on %d connections, want 4 on 2", queries, connections)
	}
}

// TestExchange_KeepsNoConnectionAfterAFailure: a late answer would meet the next question.
func TestExchange_KeepsNoConnectionAfterAFailure(t *testing.T) {
	t.Parallel()
	s := startSecure(t)
	s.Break("", dnstest.WrongID())
	s.impatient()
	if got, err := s.resolve(t); err == nil || s.kept() != 0 {
		t.Errorf("got %+v, %v; %d connections are kept", got, err, s.kept())
	}
	s.Heal("")
	s.mustResolve(t, 1)
	if connections := s.connections(); connections != attempts+1 || s.kept() != 1 {
		t.Errorf("%d connections, of which %d are kept", connections, s.kept())
	}
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

// watched is a server over TLS that says when a client ended a connection.
type watched struct {
	upstream Upstream
	sockets  *Sockets
	silent   bool // it reads and does not answer
	opened   atomic.Int64
	closed   chan error // what the server read last
}

func startWatched(t *testing.T) *watched {
	t.Helper()
	ca := dnstest.NewCA(t)
	w := &watched{sockets: &Sockets{RootCAs: ca.Pool()}, closed: make(chan error, 100)}
	w.sockets.tls.lifetime = time.Hour
	w.upstream = TLS(listenAndServe(t, &tls.Config{Certificates: []tls.Certificate{ca.Issue("127.0.0.1")}}, w.serve), fqdn.Name{})
	return w
}

// serve answers every query with one address and a TTL of zero.
func (w *watched) serve(conn net.Conn) {
	w.opened.Add(1)
	for {
		b, err := readFrame(conn)
		if err != nil {
			w.closed <- err
			return
		}
		if w.silent {
			continue
		}
		q := new(dns.Msg)
		if err := q.Unpack(b); err != nil {
			w.closed <- err
			return
		}
		m := new(dns.Msg).SetReply(q)
		m.RecursionAvailable = true
		m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(192, 0, 2, 1)}}
		if b, err = m.Pack(); err == nil {
			err = writeFrame(conn, b)
		}
		if err != nil {
			w.closed <- err
			return
		}
	}
}

// mustClose waits until the client has closed n connections in order, and no other was opened.
func (w *watched) mustClose(t *testing.T, n int64) {
	t.Helper()
	for range n {
		select {
		case err := <-w.closed:
			if !errors.Is(err, io.EOF) {
				t.Errorf("the connection ended with %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("the connection was not closed")
		}
	}
	if w.opened.Load() != n {
		t.Errorf("%d connections were opened, want %d", w.opened.Load(), n)
	}
}

func TestExchange_ClosesConnectionsAfterFailures(t *testing.T) {
	t.Parallel()
	w := startWatched(t)
	w.silent, w.sockets.timeout = true, time.Second
	if got, err := resolveAt(t, w.sockets, w.upstream, "www.example.com A"); err == nil {
		t.Errorf("got %+v", got)
	}
	w.mustClose(t, attempts)
}

func TestKeptConnection_EndsWithItsContext(t *testing.T) {
	w := startWatched(t)
	q := questionFor(t, "www.example.com A")
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if _, err := w.sockets.Exchange(ctx, q, w.upstream); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := w.sockets.Exchange(ctx, q, w.upstream); err != nil {
		t.Fatal(err)
	}
	if len(w.closed) > 0 {
		t.Error("closed before its context ended")
	}
	cancel()
	w.mustClose(t, 1)
}

func TestKeptConnection_EndsAfterItsLifetime(t *testing.T) {
	w := startWatched(t)
	w.sockets.tls.lifetime = 50 * time.Millisecond
	if _, err := w.sockets.Exchange(t.Context(), questionFor(t, "www.example.com A"), w.upstream); err != nil {
		t.Fatal(err)
	}
	w.mustClose(t, 1)
}

// TestResolver_ClosesConnectionsOfUpstreamsThatLeave asks one name again and again on one connection.
func TestResolver_ClosesConnectionsOfUpstreamsThatLeave(t *testing.T) {
	w := startWatched(t)
	upstreams := newChanging(t, w.upstream.String())
	recorded := make(chan struct{})
	book := &silentBook{subjects: []addressbook.Subject{{Name: mustName(t, "www.example.com")}}, recorded: recorded}
	o := onlyIPv4
	o.MinTTL, o.Exchanger = time.Millisecond, w.sockets
	r, err := New(book, upstreams, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- r.Start(ctx) }()
	for range 5 {
		<-recorded
	}
	go func() {
		for range recorded {
		}
	}()
	if len(w.closed) > 0 {
		t.Error("closed while the upstream is there")
	}
	upstreams.set()
	w.mustClose(t, 1)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	close(recorded)
}
