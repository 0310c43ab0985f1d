// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsclient

import (
	"context"
	"errors"
	"os"
	"syscall"

	"github.com/fqdn-egress/fqdn-egress/internal/dnsmsg"
)

// The reasons for which no answer came, beside those of messages (dnsmsg). They reach the status of policies: short, and the
// same for the same cause.
const (
	ReasonTimeout     = "timeout"
	ReasonRefused     = "connection refused"
	ReasonUnreachable = "network unreachable"
	ReasonClosed      = "connection closed"
	ReasonNetwork     = "network error"
	ReasonCertificate = "certificate not trusted"
	ReasonTLS         = "TLS handshake failed"
)

// ReasonOf returns the short stable reason of any error of this package, of dnsmsg or of the network: a Reason constant or an
// RCODE.
func ReasonOf(err error) string {
	var e *dnsmsg.Error
	switch {
	case errors.As(err, &e):
		return e.Reason
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return ReasonTimeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return ReasonRefused
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return ReasonUnreachable
	}
	return ReasonNetwork
}
