// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"errors"
	"fmt"
	"net"
	"sync"
)

var errGivenUp = errors.New("the client closed it")

// connection remembers why it ended. The server closes it with EOF, or a reset; the client, when a request is given up.
type connection struct {
	net.Conn

	mu    sync.Mutex
	ended error // the first reason
}

func (c *connection) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.endBy(err)
	return n, err
}

func (c *connection) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.endBy(err)
	return n, err
}

func (c *connection) Close() error {
	c.endBy(errGivenUp)
	return c.Conn.Close()
}

func (c *connection) endBy(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended == nil && err != nil {
		c.ended = fmt.Errorf("%v to %v: %w", c.LocalAddr(), c.RemoteAddr(), err)
	}
}

func (c *connection) end() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}
