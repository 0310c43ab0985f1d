// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsclient

import (
	"context"
	"time"

	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

// losses makes a client wait for each message until it comes, or until the test knows that it will not: the server says
// that it dropped it, or the client discarded what came instead. So no result depends on how fast the machine is.
type losses chan struct{}

func newLosses() losses { return make(losses, 1000) }

func (l losses) sockets() *Sockets { return &Sockets{limit: l.limit, Discarded: l.note} }

func (l losses) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	go func() {
		select {
		case <-l:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

func (l losses) note() { l <- struct{}{} }

// patient waits for each message until it comes.
func patient() *Sockets { return &Sockets{limit: newLosses().limit} }

// of is fault, which says when the answer does not come.
func (l losses) of(fault dnstest.Fault) dnstest.Fault {
	return func(q dnstest.Query, r *dnstest.Reply) {
		fault(q, r)
		if r.Drop || r.Delay > 0 {
			l.note()
		}
	}
}
