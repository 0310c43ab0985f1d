// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/internal/dnsclient"
)

// watched is a server over TCP that says when a client ended a connection.
type watched struct {
	addr   string
	opened atomic.Int64
	closed chan error // what the server read last
}

func startWatched(t *testing.T) *watched {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	w := &watched{addr: l.Addr().String(), closed: make(chan error, 100)}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go w.serve(conn)
		}
	}()
	return w
}

// serve answers every query with one address and a TTL of zero.
func (w *watched) serve(conn net.Conn) {
	defer conn.Close()
	w.opened.Add(1)
	for stream := (dns.Conn{Conn: conn}); ; {
		q, err := stream.ReadMsg()
		if err == nil {
			m := new(dns.Msg).SetReply(q)
			m.RecursionAvailable = true
			m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(192, 0, 2, 1)}}
			err = stream.WriteMsg(m)
		}
		if err != nil {
			w.closed <- err
			return
		}
	}
}

// mustClose waits until the client has ended its only connection. The server ends none itself.
func (w *watched) mustClose(t *testing.T) {
	t.Helper()
	select {
	case err := <-w.closed:
		t.Logf("the connection ended: %v", err)
	case <-time.After(20 * time.Second):
		t.Fatal("the connection was not closed")
	}
	if n := w.opened.Load(); n != 1 {
		t.Errorf("%d connections were opened", n)
	}
}

// TestResolver_ClosesConnectionsOfUpstreamsThatLeave asks one name again and again on one connection.
func TestResolver_ClosesConnectionsOfUpstreamsThatLeave(t *testing.T) {
	w := startWatched(t)
	upstreams := newChanging(t, "tcp://"+w.addr)
	recorded := make(chan struct{})
	book := newSilentBook(t, "www.example.com")
	book.recorded = recorded
	o := onlyIPv4
	o.MinTTL, o.Exchanger = time.Millisecond, new(dnsclient.Sockets)
	r, err := New(book, upstreams, o.Options)
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
	w.mustClose(t)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	close(recorded)
}
