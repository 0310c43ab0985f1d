// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsclient

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"

	"github.com/fqdn-egress/fqdn-egress/internal/dnsmsg"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// dialTLS opens a connection to the upstream, which must prove by its certificate who it is (RFC 8310 section 5, the
// strict profile).
func (t *trip) dialTLS(ctx context.Context) (net.Conn, error) {
	conn, err := dialTCP(ctx, t.upstream)
	if err != nil {
		return nil, err
	}
	secured := tls.Client(conn, &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         t.upstream.certified(),
		RootCAs:            t.sockets.RootCAs,
		NextProtos:         []string{"dot"}, // IANA's word for RFC 7858
		ClientSessionCache: t.sockets.sessionCache(),
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
		return &dnsmsg.Error{Reason: ReasonCertificate, Err: err}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.Canceled):
		return err
	}
	return &dnsmsg.Error{Reason: ReasonTLS, Err: err}
}

// alertError finds the alert of a server that ends the connection for what it knows of us. With TLS 1.3 the handshake is
// over for us before it has judged our part of it.
func alertError(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" {
		return &dnsmsg.Error{Reason: ReasonTLS, Err: err}
	}
	return err
}

// sessionCache shortens the handshake of new connections.
func (s *Sockets) sessionCache() tls.ClientSessionCache {
	s.sessionsOnce.Do(func() { s.sessions = tls.NewLRUClientSessionCache(0) })
	return s.sessions
}
