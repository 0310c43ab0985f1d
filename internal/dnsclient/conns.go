// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsclient

import (
	"cmp"
	"context"
	"net"
	"slices"
	"sync"
	"time"
)

// connIdle is how long a connection waits for the next query. Servers close them after some such time too (RFC 7766
// section 6.2.3).
const connIdle = 10 * time.Second

// maxIdleConns is how many connections to an upstream wait for the next query. A burst may use more; what it leaves over
// is closed.
const maxIdleConns = 64

// conns are the connections over TCP and TLS that no query uses. One has one query in flight, so that a late answer delays
// no other (RFC 7766 section 6.2.1 asks for reuse; pipelining is left to clients that have few connections). Lanes that ask
// the same upstream share them. Safe for concurrent use; the zero conns is empty.
type conns struct {
	lifetime time.Duration // connIdle if zero

	mu   sync.Mutex
	idle map[Upstream][]*idleConn // by identity; the last one was used last
}

// idleConn ends with its context unless stop was called before.
type idleConn struct {
	net.Conn
	stop func()
}

// take returns the connection that was used last, so that those that are not needed any more grow old; nil: there is none.
func (c *conns) take(u Upstream) net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.idle[u])
	if n == 0 {
		return nil
	}
	conn := c.idle[u][n-1]
	c.remove(u, conn)
	conn.stop()
	return conn.Conn
}

// put keeps conn until it is taken, and closes it when its lifetime is over or ctx ends, or at once if there are many.
func (c *conns) put(ctx context.Context, u Upstream, conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.idle == nil {
		c.idle = map[Upstream][]*idleConn{}
	}
	if len(c.idle[u]) >= maxIdleConns {
		_ = conn.Close()
		return
	}
	kept := &idleConn{Conn: conn}
	c.idle[u] = append(c.idle[u], kept)
	waiting, cancel := context.WithTimeout(ctx, cmp.Or(c.lifetime, connIdle))
	forget := context.AfterFunc(waiting, func() { c.end(u, kept) })
	kept.stop = func() { forget(); cancel() }
}

// end closes conn, unless it was taken in this moment.
func (c *conns) end(u Upstream, conn *idleConn) {
	c.mu.Lock()
	idle := c.remove(u, conn)
	c.mu.Unlock()
	if idle {
		conn.stop()
		_ = conn.Close()
	}
}

// drop closes all connections of an upstream.
func (c *conns) drop(u Upstream) {
	c.mu.Lock()
	conns := c.idle[u]
	delete(c.idle, u)
	c.mu.Unlock()
	for _, conn := range conns {
		conn.stop()
		_ = conn.Close()
	}
}

// remove tells whether conn was there. The mutex is held.
func (c *conns) remove(u Upstream, conn *idleConn) bool {
	i := slices.Index(c.idle[u], conn)
	if i < 0 {
		return false
	}
	c.idle[u] = slices.Delete(c.idle[u], i, i+1)
	if len(c.idle[u]) == 0 {
		delete(c.idle, u)
	}
	return true
}
