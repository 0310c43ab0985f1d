// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// tlsIdle is how long a connection waits for the next query. Servers close them after some such time too (RFC 7766
// section 6.2.3).
const tlsIdle = 10 * time.Second

// tlsConns are the connections over TLS that no query uses. One has one query in flight, so that a late answer delays no
// other (RFC 7858 section 3.4 asks for reuse, not for pipelining). Lanes that ask the same upstream share them. Safe for
// concurrent use; the zero tlsConns is empty.
type tlsConns struct {
	lifetime time.Duration // tlsIdle if zero

	mu       sync.Mutex
	idle     map[Upstream][]*idleConn // by identity; the last one was used last
	sessions tls.ClientSessionCache   // shortens the handshake of new ones
}

// idleConn ends with its context unless stop was called before.
type idleConn struct {
	*tls.Conn
	stop func()
}

// overTLS asks on a connection that waits for a query, or else on a new one, and keeps it until ctx ends. limited is ctx
// with the deadline of this query.
func (x *exchange) overTLS(ctx, limited context.Context, query []byte, id uint16) (*dns.Msg, error) {
	m, conn, err := x.askKept(limited, query, id)
	if conn == nil && err == nil {
		m, conn, err = x.askNew(limited, query, id)
	}
	if err != nil {
		return nil, err
	}
	x.sockets.tls.put(ctx, x.upstream.identity(), conn)
	return m, nil
}

// askKept returns no connection and no error if there is none, or none that lives: the server may close them at any time,
// which is no failure of the question (RFC 7766 section 6.2.4). What closed one has closed the others most likely.
func (x *exchange) askKept(ctx context.Context, query []byte, id uint16) (*dns.Msg, *tls.Conn, error) {
	conn := x.sockets.tls.take(x.upstream.identity())
	if conn == nil {
		return nil, nil, nil
	}
	m, err := x.askOn(ctx, conn, query, id)
	if err == nil {
		return m, conn, nil
	}
	x.sockets.tls.drop(x.upstream.identity())
	if !errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil {
		err = nil
	}
	return nil, nil, err
}

func (x *exchange) askNew(ctx context.Context, query []byte, id uint16) (*dns.Msg, *tls.Conn, error) {
	conn, err := x.dialTLS(ctx)
	if err != nil {
		return nil, nil, err
	}
	m, err := x.askOn(ctx, conn, query, id)
	return m, conn, err
}

// askOn closes conn unless the answer came: whatever else may come on it is not worth waiting for.
func (x *exchange) askOn(ctx context.Context, conn *tls.Conn, query []byte, id uint16) (m *dns.Msg, err error) {
	stop, err := endWith(ctx, conn)
	if err == nil {
		m, err = x.overStream(conn, query, id)
		if !stop() && err == nil { // in the last moment: the deadline of conn is about to be changed
			err = ctx.Err()
		}
	}
	if err != nil {
		_ = conn.Close()
		return nil, alertError(err)
	}
	return m, nil
}

// dialTLS opens a connection to the upstream, which must prove by its certificate who it is (RFC 8310 section 5, the
// strict profile).
func (x *exchange) dialTLS(ctx context.Context) (*tls.Conn, error) {
	conn, err := x.dial(ctx)
	if err != nil {
		return nil, err
	}
	secured := tls.Client(conn, &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         x.upstream.certified(),
		RootCAs:            x.sockets.RootCAs,
		NextProtos:         []string{"dot"}, // IANA's word for RFC 7858
		ClientSessionCache: x.sockets.tls.sessionCache(),
	})
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, handshakeError(err)
	}
	return secured, nil
}

// certified is whom the certificate must be for: the name, or the IP address, of which a zone is no part.
func (u Upstream) certified() string {
	if u.name != (fqdn.Name{}) {
		return u.name.String()
	}
	return u.addr.Addr().WithZone("").String()
}

// handshakeError tells a certificate that does not verify from other failures of TLS, and from a server that is slow.
func handshakeError(err error) error {
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.As(err, &untrusted):
		return &Error{Reason: ReasonCertificate, Err: err}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.Canceled):
		return err
	}
	return &Error{Reason: ReasonTLS, Err: err}
}

// alertError finds the alert of a server that ends the connection for what it knows of us. With TLS 1.3 the handshake is
// over for us before it has judged our part of it.
func alertError(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" {
		return &Error{Reason: ReasonTLS, Err: err}
	}
	return err
}

// take returns the connection that was used last, so that those that are not needed any more grow old; nil: there is none.
func (c *tlsConns) take(u Upstream) *tls.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.idle[u])
	if n == 0 {
		return nil
	}
	conn := c.idle[u][n-1]
	c.remove(u, conn)
	conn.stop()
	return conn.Conn
}

// put keeps conn until it is taken, and closes it when its lifetime is over or ctx ends.
func (c *tlsConns) put(ctx context.Context, u Upstream, conn *tls.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.idle == nil {
		c.idle = map[Upstream][]*idleConn{}
	}
	kept := &idleConn{Conn: conn}
	c.idle[u] = append(c.idle[u], kept)
	waiting, cancel := context.WithTimeout(ctx, orDefault(c.lifetime, tlsIdle))
	forget := context.AfterFunc(waiting, func() { c.end(u, kept) })
	kept.stop = func() { forget(); cancel() }
}

// end closes conn, unless it was taken in this moment.
func (c *tlsConns) end(u Upstream, conn *idleConn) {
	c.mu.Lock()
	idle := c.remove(u, conn)
	c.mu.Unlock()
	if idle {
		conn.stop()
		_ = conn.Close()
	}
}

// drop closes all connections of an upstream.
func (c *tlsConns) drop(u Upstream) {
	c.mu.Lock()
	conns := c.idle[u]
	delete(c.idle, u)
	c.mu.Unlock()
	for _, conn := range conns {
		conn.stop()
		_ = conn.Close()
	}
}

// remove tells whether conn was there. The mutex is held.
func (c *tlsConns) remove(u Upstream, conn *idleConn) bool {
	i := slices.Index(c.idle[u], conn)
	if i < 0 {
		return false
	}
	c.idle[u] = slices.Delete(c.idle[u], i, i+1)
	if len(c.idle[u]) == 0 {
		delete(c.idle, u)
	}
	return true
}

func (c *tlsConns) sessionCache() tls.ClientSessionCache {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sessions == nil {
		c.sessions = tls.NewLRUClientSessionCache(0)
	}
	return c.sessions
}
