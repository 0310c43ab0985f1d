// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	// attemptTimeout is how long one message is waited for.
	attemptTimeout = 2 * time.Second
	// attempts over one transport before the question failed; the Resolver asks again later.
	attempts = 2
	// udpBuffer takes more than the 1232 bytes that we allow, for servers that do not care. What fills it may be cut.
	udpBuffer = 4096
)

// Exchanger gets the answer of an upstream to a question. The message belongs to the caller; ReadAnswer judges it. An
// error means that no answer came; it is an *Error or a network error. It must be safe for concurrent use and return
// soon after ctx ended.
type Exchanger interface {
	Exchange(ctx context.Context, q Question, u Upstream) (*dns.Msg, error)
}

// Sockets is the Exchanger of the network. Each query has a random ID and a new socket, so a random source port that
// the kernel chose (RFC 5452 section 9.2), and is given up after two seconds and one retry. Over TLS, where nobody can
// slip in an answer, connections are kept for the next query: for ten seconds, and not longer than the context of the
// Exchange that used them last. The zero Sockets works.
type Sockets struct {
	// Discarded is called for each message that came and was not the answer: another ID or question, or garbage. May be
	// nil. It must be safe for concurrent use.
	Discarded func()
	// RootCAs are the authorities one of which must have signed the certificates of upstreams over TLS; nil: the system's.
	RootCAs *x509.CertPool

	timeout time.Duration // attemptTimeout if zero
	buffers sync.Pool     // of *[udpBuffer]byte
	tls     tlsConns
}

// Exchange implements Exchanger.
func (s *Sockets) Exchange(ctx context.Context, q Question, u Upstream) (m *dns.Msg, err error) {
	for range attempts {
		m, err = s.attempt(ctx, q, u)
		if err == nil || ctx.Err() != nil || !mayPass(reasonOf(err)) {
			break
		}
	}
	return m, err
}

// mayPass tells whether a second attempt may help at once: a packet got lost, or somebody interfered.
func mayPass(reason string) bool {
	switch reason {
	case ReasonTimeout, ReasonClosed, ReasonMalformed, ReasonMismatch:
		return true
	}
	return false
}

// attempt asks once, and again without EDNS if the server does not know it (RFC 6891 section 7) and over TCP if the
// answer does not fit (RFC 7766 section 5).
func (s *Sockets) attempt(ctx context.Context, q Question, u Upstream) (*dns.Msg, error) {
	x := exchange{sockets: s, question: q, upstream: u, edns: true}
	m, err := x.roundTrip(ctx)
	if err == nil && refusesEDNS(m) {
		x.edns = false
		m, err = x.roundTrip(ctx)
	}
	if err == nil && m.Truncated && x.upstream.transport == viaUDP {
		x.upstream.transport = viaTCP
		m, err = x.roundTrip(ctx)
	}
	return m, err
}

func refusesEDNS(m *dns.Msg) bool {
	return m.Rcode == dns.RcodeFormatError || m.Rcode == dns.RcodeNotImplemented || m.Rcode == dns.RcodeBadVers
}

// exchange is one query in flight.
type exchange struct {
	sockets  *Sockets
	question Question
	upstream Upstream
	edns     bool
}

// roundTrip sends one query and reads until its answer comes: on a new socket, or over TLS.
func (x *exchange) roundTrip(ctx context.Context) (*dns.Msg, error) {
	query, id, err := newQuery(x.question, x.edns, x.upstream.transport == viaTLS)
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, orDefault(x.sockets.timeout, attemptTimeout))
	defer cancel()
	if x.upstream.transport == viaTLS {
		return x.overTLS(ctx, limited, query, id)
	}
	conn, err := x.dial(limited)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop, err := endWith(limited, conn)
	if err != nil {
		return nil, err
	}
	defer stop()
	if x.upstream.transport == viaTCP {
		return x.overStream(conn, query, id)
	}
	return x.overUDP(conn, query, id)
}

// endWith makes what is read from and written to conn fail when ctx, which has a deadline, ends. After stop returned true
// it leaves conn alone; false: ctx has ended.
func endWith(ctx context.Context, conn net.Conn) (stop func() bool, err error) {
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	return context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }), nil
}

// dial opens a connected socket, which takes datagrams from the upstream only. Over UDP it does not block, so the plain
// call will do, which is cheaper than a Dialer.
func (x *exchange) dial(ctx context.Context) (net.Conn, error) {
	if x.upstream.transport != viaUDP {
		return (&net.Dialer{}).DialContext(ctx, "tcp", x.upstream.addr.String())
	}
	return net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(x.upstream.addr))
}

func (x *exchange) overUDP(conn net.Conn, query []byte, id uint16) (*dns.Msg, error) {
	if _, err := conn.Write(query); err != nil {
		return nil, err
	}
	buf := x.sockets.buffer()
	defer x.sockets.buffers.Put(buf)
	return x.await(id, func() ([]byte, error) {
		n, err := conn.Read(buf[:])
		return buf[:n], err
	})
}

// overStream asks on a connection over TCP or TLS.
func (x *exchange) overStream(conn net.Conn, query []byte, id uint16) (*dns.Msg, error) {
	if err := writeFrame(conn, query); err != nil {
		return nil, err
	}
	m, err := x.await(id, func() ([]byte, error) { return readFrame(conn) })
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, &Error{Reason: ReasonClosed, Err: err}
	}
	return m, err
}

// await reads messages until one is the answer. Others are skipped, not believed and not fatal: anybody can send them
// (RFC 5452 section 9.1), and the right one may come next. If none comes, the error says what came instead.
func (x *exchange) await(id uint16, read func() ([]byte, error)) (*dns.Msg, error) {
	instead := ""
	for {
		b, err := read()
		if err != nil {
			if instead != "" && errors.Is(err, os.ErrDeadlineExceeded) {
				return nil, &Error{Reason: instead, Err: err}
			}
			return nil, err
		}
		m, reason := parse(b, x.upstream.transport == viaUDP && len(b) == udpBuffer, id, x.question)
		if reason == "" {
			return m, nil
		}
		instead = reason
		if x.sockets.Discarded != nil {
			x.sockets.Discarded()
		}
	}
}

func (s *Sockets) buffer() *[udpBuffer]byte {
	if buf, ok := s.buffers.Get().(*[udpBuffer]byte); ok {
		return buf
	}
	return new([udpBuffer]byte)
}

// newID is unpredictable (RFC 5452 section 9.2).
func newID() (uint16, error) {
	var b [2]byte
	if _, err := rand.Read(b[:]); err != nil {
		return 0, fmt.Errorf("choosing a query ID: %w", err)
	}
	return binary.BigEndian.Uint16(b[:]), nil
}
