// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/fqdn-egress/fqdn-egress/internal/dnsmsg"
)

func TestReasonOf(t *testing.T) {
	for want, err := range map[string]error{
		"SERVFAIL":        fmt.Errorf("asking: %w", &dnsmsg.Error{Reason: "SERVFAIL"}),
		ReasonTimeout:     context.DeadlineExceeded,
		ReasonRefused:     &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNREFUSED)},
		ReasonUnreachable: syscall.EHOSTUNREACH,
		ReasonNetwork:     errors.New("anything"),
	} {
		if got := ReasonOf(err); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}
