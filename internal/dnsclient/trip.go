// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsclient

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/dnsmsg"
)

// trip is one query on its way.
type trip struct {
	sockets  *Sockets
	upstream Upstream
	query    dnsmsg.Query
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
func (t *trip) overUDP(ctx context.Context) (*dnsmsg.Message, error) {
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

// maxLies is how many wrong messages end the wait for the answer. Over UDP only those count that have its ID and question and
// cannot be read, as anybody can send others; on a stream every wrong one counts, as only the server can send it.
const maxLies = 4

// await reads messages until one is the answer. Others are skipped, not believed and not fatal: anybody can send them
// over UDP (RFC 5452 section 9.1), and the right one may come next. If none comes, the error says what came instead.
func (t *trip) await(read func() ([]byte, error)) (*dnsmsg.Message, error) {
	instead, lies := "", 0
	for lies < maxLies {
		b, err := read()
		if err != nil {
			if instead != "" && errors.Is(err, os.ErrDeadlineExceeded) {
				return nil, &dnsmsg.Error{Reason: instead, Err: err}
			}
			return nil, err
		}
		var m *dnsmsg.Message
		reason := t.query.Rejects(b)
		unpacked := reason == ""
		if unpacked {
			if m, reason = dnsmsg.Unpack(b, t.upstream.transport == viaUDP && len(b) == udpBuffer); reason == "" {
				return m, nil
			}
		}
		if unpacked || t.upstream.transport != viaUDP {
			lies++
		}
		instead = reason
		if t.sockets.Discarded != nil {
			t.sockets.Discarded()
		}
	}
	return nil, &dnsmsg.Error{Reason: instead}
}

func (s *Sockets) buffer() *[udpBuffer]byte {
	if buf, ok := s.buffers.Get().(*[udpBuffer]byte); ok {
		return buf
	}
	return new([udpBuffer]byte)
}
