// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// connection is one over which requests go until it fails. The client of net/http is of no use for that: it closes a good
// connection itself when its goroutine that wrote the request gets no turn within 50 ms after the answer came, as happens on
// a busy machine.
type connection struct {
	conn   net.Conn
	reader *bufio.Reader
	ended  error // why it is gone
}

func keep(conn net.Conn) *connection { return &connection{conn: conn, reader: bufio.NewReader(conn)} }

// do requests a page. After an error the connection is closed, and the error is that of all requests from then on.
func (c *connection) do(ctx context.Context, request *http.Request, timeout time.Duration) error {
	if c.ended != nil {
		return fmt.Errorf("the first connection is gone: %w", c.ended)
	}
	if err := c.exchange(ctx, request, timeout); err != nil {
		c.ended = fmt.Errorf("%v to %v: %w", c.conn.LocalAddr(), c.conn.RemoteAddr(), err)
		_ = c.conn.Close()
		return c.ended
	}
	return nil
}

func (c *connection) exchange(ctx context.Context, request *http.Request, timeout time.Duration) error {
	if err := c.conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = c.conn.SetDeadline(time.Unix(1, 0)) })()
	if err := request.Write(c.conn); err != nil {
		return err
	}
	response, err := http.ReadResponse(c.reader, request)
	if err != nil {
		return err
	}
	return read(response)
}

// read takes an answer in.
func read(response *http.Response) error {
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("HTTP status %s", response.Status)
	}
	return nil
}
