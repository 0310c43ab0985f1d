// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/miekg/dns"
	"k8s.io/utils/clock"
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

// Sockets is the Exchanger of the network. Each query has a random ID, and over UDP a new socket, so a random source port
// that the kernel chose (RFC 5452 section 9.2). It is given up after two seconds and one retry. Over TCP and TLS, where
// nobody on the side can slip in an answer, connections are kept for the next query: for ten seconds, and not longer than
// the context of the Exchange that used them last. What queries an upstream answers is remembered (see ednsMemory). The
// zero Sockets works.
type Sockets struct {
	// Discarded is called for each message that came and was not the answer: another ID or question, or garbage. May be
	// nil. It must be safe for concurrent use.
	Discarded func()
	// RootCAs are the authorities one of which must have signed the certificates of upstreams over TLS; nil: the system's.
	RootCAs *x509.CertPool
	// Clock is the real one if nil.
	Clock clock.PassiveClock

	limit   func(context.Context) (context.Context, context.CancelFunc) // of one message; attemptTimeout if nil
	buffers sync.Pool                                                   // of *[udpBuffer]byte
	conns   conns
	edns    ednsMemory

	sessionsOnce sync.Once
	sessions     tls.ClientSessionCache
}

// Exchange implements Exchanger.
func (s *Sockets) Exchange(ctx context.Context, q Question, u Upstream) (m *dns.Msg, err error) {
	x := exchange{sockets: s, question: q, upstream: u, edns: s.edns.wanted(u, q, s.now())}
	for range attempts {
		m, err = x.attempt(ctx)
		if err == nil || ctx.Err() != nil || !mayPass(reasonOf(err)) {
			break
		}
		x.stepDown(reasonOf(err))
	}
	return m, err
}

func (s *Sockets) now() time.Time {
	if s.Clock == nil {
		return clock.RealClock{}.Now()
	}
	return s.Clock.Now()
}

// mayPass tells whether a second attempt may help at once: a packet got lost, or somebody interfered.
func mayPass(reason string) bool {
	switch reason {
	case ReasonTimeout, ReasonClosed, ReasonMalformed, ReasonMismatch:
		return true
	}
	return false
}

// exchange is one question to one upstream.
type exchange struct {
	sockets  *Sockets
	question Question
	upstream Upstream
	edns     bool
	// answered: a query with EDNS was. refused: one was not, or by an error that means EDNS.
	answered, refused bool
}

// attempt asks once, and again without EDNS if the server does not know it (RFC 6891 section 7) and over TCP if the
// answer does not fit (RFC 7766 section 5).
func (x *exchange) attempt(ctx context.Context) (*dns.Msg, error) {
	m, err := x.roundTrip(ctx, x.upstream)
	if err == nil && x.edns && refusesEDNS(m) {
		x.edns, x.refused = false, true
		m, err = x.roundTrip(ctx, x.upstream)
	}
	if err != nil {
		return m, err
	}
	x.note()
	if m.Truncated && x.upstream.transport == viaUDP {
		return x.roundTrip(ctx, TCP(x.upstream.addr))
	}
	return m, nil
}

func refusesEDNS(m *dns.Msg) bool {
	return m.Rcode == dns.RcodeFormatError || m.Rcode == dns.RcodeNotImplemented || m.Rcode == dns.RcodeBadVers
}

// stepDown leaves EDNS out of the second attempt when no answer came to the first: some routers and firewalls drop what
// has it. Over TCP and TLS they do not see it.
func (x *exchange) stepDown(reason string) {
	if reason == ReasonTimeout && x.edns && !x.answered && x.upstream.transport == viaUDP {
		x.edns, x.refused = false, true
	}
}

// note remembers what was answered for the next questions.
func (x *exchange) note() {
	switch {
	case x.edns:
		x.answered = true
		x.sockets.edns.answered(x.upstream, x.question, x.sockets.now())
	case x.refused:
		x.sockets.edns.refused(x.upstream, x.question, x.sockets.now())
	}
}

// roundTrip sends one query and reads until its answer comes.
func (x *exchange) roundTrip(ctx context.Context, u Upstream) (*dns.Msg, error) {
	query, err := newQuery(x.question, x.edns, u.transport == viaTLS)
	if err != nil {
		return nil, err
	}
	limited, cancel := x.sockets.limited(ctx)
	defer cancel()
	t := trip{sockets: x.sockets, upstream: u, query: query}
	if u.transport == viaUDP {
		return t.overUDP(limited)
	}
	return t.overStream(ctx, limited)
}

func (s *Sockets) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	if s.limit != nil {
		return s.limit(ctx)
	}
	return context.WithTimeout(ctx, attemptTimeout)
}

// trip is one query on its way.
type trip struct {
	sockets  *Sockets
	upstream Upstream
	query    outgoing
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

// overUDP asks on a new connected socket, which takes datagrams from the upstream only. To dial does not block over UDP,
// so the plain call will do, which is cheaper than a Dialer.
func (t *trip) overUDP(ctx context.Context) (*dns.Msg, error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(t.upstream.addr))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop, err := endWith(ctx, conn)
	if err != nil {
		return nil, err
	}
	defer stop()
	if _, err := conn.Write(t.query); err != nil {
		return nil, err
	}
	buf := t.sockets.buffer()
	defer t.sockets.buffers.Put(buf)
	return t.await(func() ([]byte, error) {
		n, err := conn.Read(buf[:])
		return buf[:n], err
	})
}

// maxLies is how many messages that pass for the answer and are none end the wait for it; on a stream, where nobody but
// the server can send any, how many messages of any kind.
const maxLies = 4

// await reads messages until one is the answer. Others are skipped, not believed and not fatal: anybody can send them
// over UDP (RFC 5452 section 9.1), and the right one may come next. If none comes, the error says what came instead.
func (t *trip) await(read func() ([]byte, error)) (*dns.Msg, error) {
	instead, lies := "", 0
	for lies < maxLies {
		b, err := read()
		if err != nil {
			if instead != "" && errors.Is(err, os.ErrDeadlineExceeded) {
				return nil, &Error{Reason: instead, Err: err}
			}
			return nil, err
		}
		var m *dns.Msg
		reason := t.query.rejects(b)
		unpacked := reason == ""
		if unpacked {
			if m, reason = unpack(b, t.upstream.transport == viaUDP && len(b) == udpBuffer); reason == "" {
				return m, nil
			}
		}
		lies += rank(unpacked || t.upstream.transport != viaUDP)
		instead = reason
		if t.sockets.Discarded != nil {
			t.sockets.Discarded()
		}
	}
	return nil, &Error{Reason: instead}
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
