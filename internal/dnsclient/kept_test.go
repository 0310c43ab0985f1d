// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsclient

import (
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

// watched is a server over TLS that says when a client ended a connection.
type watched struct {
	upstream Upstream
	sockets  *Sockets
	silent   func() // it reads and calls this, and does not answer; nil: it answers
	opened   atomic.Int64
	closed   chan error // what the server read last
}

func startWatched(t *testing.T) *watched {
	t.Helper()
	ca := dnstest.NewCA(t)
	w := &watched{sockets: trusting(ca), closed: make(chan error, 100)}
	w.sockets.conns.lifetime = time.Hour
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
		if w.silent != nil {
			w.silent()
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

// mustClose waits until the client has ended n connections and no other was opened. The server
// ends none itself. It may see half a record of TLS last, where a query was being written.
func (w *watched) mustClose(t *testing.T, n int64) {
	t.Helper()
	for range n {
		select {
		case err := <-w.closed:
			t.Logf("the connection ended: %v", err)
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
	lost := newLosses()
	w.silent, w.sockets.limit = lost.note, lost.limit
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
	w.sockets.conns.lifetime = 50 * time.Millisecond
	if _, err := w.sockets.Exchange(t.Context(), questionFor(t, "www.example.com A"), w.upstream); err != nil {
		t.Fatal(err)
	}
	w.mustClose(t, 1)
}
