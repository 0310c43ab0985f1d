// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package dnstest is a programmable DNS server on real UDP, TCP and TLS sockets, for tests, the demo and benchmarks.
//
//	s := dnstest.Start(t)
//	s.Set("www.example.com", dnstest.TTL(5*time.Second), "192.0.2.1", "2001:db8::1")
//	s.Break("www.example.com", dnstest.Only(dns.TypeAAAA, dnstest.Rcode(dns.RcodeServerFailure)))
//	err := s.WaitFor(ctx, 2, "www.example.com", dns.TypeA) // until the second query for A came
//
// Names are given with or without the trailing dot and compared without case. What is not known is NXDOMAIN with a
// SOA record. Functions that take literals (names, addresses, zone text) panic on bad ones, as regexp.MustCompile does.
package dnstest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"
	"k8s.io/utils/clock"
)

// Server answers on one address over UDP and TCP, and with the option TLS at one more port. Everything but Close may be
// called at any time by any goroutine.
type Server struct {
	addr    netip.AddrPort
	tlsAddr netip.AddrPort
	clock   clock.Clock
	zone    *zone
	cache   *cache // nil: authoritative
	faults  faults
	queries queryLog

	udpOnly bool
	tls     *tls.Config // nil: not over TLS
	servers []*dns.Server
	running sync.WaitGroup
	closing chan struct{} // ends delays
}

// Option changes a Server that is being made.
type Option func(*Server)

// CacheLike makes the server hand out remaining TTLs as CoreDNS' cache does: an answer is kept, in its rotation too,
// for its lowest TTL, and each of its records is given TTL - floor(seconds since it was stored). Without it every
// answer has its full TTL, as from an authoritative server.
func CacheLike() Option { return func(s *Server) { s.cache = newCache() } }

// UDPOnly leaves the TCP port closed.
func UDPOnly() Option { return func(s *Server) { s.udpOnly = true } }

// TLS makes the server answer over TLS too (RFC 7858), as TLSAddr says.
func TLS(config *tls.Config) Option { return func(s *Server) { s.tls = config } }

// New starts a server on addr ("127.0.0.1:5353"); port 0, or an empty addr, lets the system choose one that is free
// for UDP and TCP on 127.0.0.1. The caller closes it.
func New(addr string, options ...Option) (*Server, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	s := &Server{clock: clock.RealClock{}, zone: newZone(), closing: make(chan struct{})}
	for _, option := range options {
		option(s)
	}
	pc, l, err := listen(addr, s.udpOnly)
	if err != nil {
		return nil, fmt.Errorf("starting DNS server: %w", err)
	}
	s.addr = netip.MustParseAddrPort(pc.LocalAddr().String())
	s.serve(&dns.Server{PacketConn: pc, Handler: s})
	if l != nil {
		s.serve(&dns.Server{Listener: l, Handler: s})
	}
	if s.tls != nil {
		if err := s.serveTLS(); err != nil {
			return nil, errors.Join(fmt.Errorf("starting DNS server: %w", err), s.Close())
		}
	}
	return s, nil
}

// serveTLS listens on the same address, at a port of the system's choice.
func (s *Server) serveTLS() error {
	l, err := tls.Listen("tcp", netip.AddrPortFrom(s.addr.Addr(), 0).String(), s.tls)
	if err != nil {
		return err
	}
	s.tlsAddr = netip.MustParseAddrPort(l.Addr().String())
	s.serve(&dns.Server{Listener: l, Handler: s})
	return nil
}

// TB is the part of testing.TB that Start needs.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Start is New for a test, on a port of the system's choice; the test's end closes the server.
func Start(t TB, options ...Option) *Server {
	t.Helper()
	s, err := New("", options...)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// Addr is where the server listens for UDP and TCP.
func (s *Server) Addr() netip.AddrPort { return s.addr }

// TLSAddr is where the server listens for TLS; zero without the option TLS.
func (s *Server) TLSAddr() netip.AddrPort { return s.tlsAddr }

// Close ends the server, delayed answers too, and waits for its goroutines. Call it once.
func (s *Server) Close() error {
	close(s.closing)
	var errs []error
	for _, srv := range s.servers {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		errs = append(errs, srv.ShutdownContext(ctx))
		cancel()
	}
	s.running.Wait()
	return errors.Join(errs...)
}

// patience is how long a connection may be silent. A test on a busy machine must not lose it for that.
const patience = time.Minute

func (s *Server) serve(srv *dns.Server) {
	srv.ReadTimeout, srv.WriteTimeout, srv.IdleTimeout = patience, patience, func() time.Duration { return patience }
	started := make(chan struct{})
	srv.NotifyStartedFunc = func() { close(started) }
	s.servers = append(s.servers, srv)
	s.running.Go(func() { _ = srv.ActivateAndServe() }) // it returns once Close shuts it down
	<-started
}

// listen opens both sockets on one port. With port 0 the system chooses for UDP alone, so TCP may be taken: try again.
func listen(addr string, udpOnly bool) (pc net.PacketConn, l net.Listener, err error) {
	for range 20 {
		if pc, err = net.ListenPacket("udp", addr); err != nil {
			return nil, nil, err
		}
		if udpOnly {
			return pc, nil, nil
		}
		if l, err = net.Listen("tcp", pc.LocalAddr().String()); err == nil {
			return pc, l, nil
		}
		_ = pc.Close()
	}
	return nil, nil, err
}
