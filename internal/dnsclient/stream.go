// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsclient

import (
	"context"
	"errors"
	"io"
	"net"

	"github.com/fqdn-egress/fqdn-egress/internal/dnsmsg"
)

// overStream asks over TCP or TLS: on a connection that waits for a query, or else on a new one. It keeps the connection
// until ctx ends. limited is ctx with the deadline of this query.
func (t *trip) overStream(ctx, limited context.Context) (*dnsmsg.Message, error) {
	m, conn, err := t.askKept(limited)
	if conn == nil && err == nil {
		m, conn, err = t.askNew(limited)
	}
	if err != nil {
		return nil, err
	}
	t.sockets.conns.put(ctx, t.upstream, conn)
	return m, nil
}

// askKept returns no connection and no error if there is none, or none that lives: the server may close them at any time,
// which is no failure of the question (RFC 7766 section 6.2.4). What closed one has closed the others most likely.
func (t *trip) askKept(ctx context.Context) (*dnsmsg.Message, net.Conn, error) {
	conn := t.sockets.conns.take(t.upstream)
	if conn == nil {
		return nil, nil, nil
	}
	m, err := t.askOn(ctx, conn)
	if err == nil {
		return m, conn, nil
	}
	t.sockets.conns.drop(t.upstream)
	if closedBefore(err) && ctx.Err() == nil {
		err = nil
	}
	return nil, nil, err
}

// closedBefore tells whether a failure on a kept connection may mean that the server had closed it before our query; then a new
// connection is tried. A timeout or a wrong answer means that the server got the query.
func closedBefore(err error) bool {
	switch ReasonOf(err) {
	case ReasonTimeout, dnsmsg.ReasonMismatch, dnsmsg.ReasonMalformed, dnsmsg.ReasonTooLong:
		return false
	}
	return true
}

func (t *trip) askNew(ctx context.Context) (*dnsmsg.Message, net.Conn, error) {
	conn, err := t.dialStream(ctx)
	if err != nil {
		return nil, nil, err
	}
	m, err := t.askOn(ctx, conn)
	return m, conn, err
}

// askOn closes conn unless the answer came: whatever else may come on it is not worth waiting for.
func (t *trip) askOn(ctx context.Context, conn net.Conn) (m *dnsmsg.Message, err error) {
	stop, err := endWith(ctx, conn)
	if err == nil {
		m, err = t.askFramed(conn)
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

// dialStream opens a connection of the upstream's kind.
func (t *trip) dialStream(ctx context.Context) (net.Conn, error) {
	if t.upstream.transport == viaTLS {
		return t.dialTLS(ctx)
	}
	return dialTCP(ctx, t.upstream)
}

func dialTCP(ctx context.Context, u Upstream) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "tcp", u.addr.String())
}

// askFramed asks on a connection over TCP or TLS.
func (t *trip) askFramed(conn net.Conn) (*dnsmsg.Message, error) {
	if err := writeFrame(conn, t.query); err != nil {
		return nil, err
	}
	m, err := t.await(func() ([]byte, error) { return readFrame(conn) })
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, &dnsmsg.Error{Reason: ReasonClosed, Err: err}
	}
	return m, err
}
