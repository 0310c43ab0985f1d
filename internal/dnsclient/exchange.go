// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/fqdn-egress/fqdn-egress/internal/dnsmsg"
)

const (
	// attemptTimeout is how long one message is waited for.
	attemptTimeout = 2 * time.Second
	// attempts over one transport before the question failed; the Resolver asks again later.
	attempts = 2
	// udpBuffer takes more than the 1232 bytes that we allow, for servers that do not care. What fills it may be cut.
	udpBuffer = 4096
)

// Sockets asks over the network. Each query has a random ID, and over UDP a new socket, so a random source port
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

// Exchange gets the answer of an upstream to a question; dnsmsg.Read tells what it means. The message belongs to the caller. An error means
// that no answer came; it is a *dnsmsg.Error or a network error, and ReasonOf tells which. It is safe for concurrent use and returns soon
// after ctx ended.
func (s *Sockets) Exchange(ctx context.Context, q dnsmsg.Question, u Upstream) (m *dnsmsg.Message, err error) {
	x := exchange{sockets: s, question: q, upstream: u, edns: s.edns.wanted(u, q, s.now())}
	for range attempts {
		m, err = x.attempt(ctx)
		if err == nil || ctx.Err() != nil || !mayPass(ReasonOf(err)) {
			break
		}
		x.stepDown(ReasonOf(err))
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
	case ReasonTimeout, ReasonClosed, dnsmsg.ReasonMalformed, dnsmsg.ReasonMismatch:
		return true
	}
	return false
}

// exchange is one question to one upstream.
type exchange struct {
	sockets  *Sockets
	question dnsmsg.Question
	upstream Upstream
	edns     bool
	// answered: a query with EDNS was. refused: one was not, or by an error that means EDNS.
	answered, refused bool
}

// attempt asks once, and again without EDNS if the server does not know it (RFC 6891 section 7) and over TCP if the
// answer does not fit (RFC 7766 section 5).
func (x *exchange) attempt(ctx context.Context) (*dnsmsg.Message, error) {
	m, err := x.roundTrip(ctx, x.upstream)
	if err == nil && x.edns && m.RefusesEDNS() {
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
func (x *exchange) roundTrip(ctx context.Context, u Upstream) (*dnsmsg.Message, error) {
	query, err := dnsmsg.NewQuery(x.question, x.edns, u.transport == viaTLS)
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
