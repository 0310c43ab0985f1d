// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package traffic makes requests one after another, as an app does that is always busy, and tells of each.
package traffic

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Options say which requests are made. All but Keep are required.
type Options struct {
	Network string // "ip4" or "ip6": which addresses of the name
	Name    string // with the trailing dot no search path is tried
	Port    string
	Every   time.Duration // from one request to the next; a slow one delays the next
	Timeout time.Duration // of a request, without its lookup
	Keep    bool          // all requests over the first connection
}

// Event is one request. It is written as JSON.
type Event struct {
	Told        time.Time  `json:"told"`                  // when DNS had answered
	Address     netip.Addr `json:"address"`               // the first that DNS gave
	LookupError string     `json:"lookupError,omitempty"` // then there was no request
	Error       string     `json:"error,omitempty"`       // empty: it was answered
	Done        time.Time  `json:"done"`                  // when it was answered or given up
}

// lookupTimeout is that of most stub resolvers for one try (resolv.conf(5)) and a little more.
const lookupTimeout = 6 * time.Second

// Run makes requests until ctx ends, which is no error, or until tell returns one.
func Run(ctx context.Context, o Options, tell func(Event) error) error {
	c := &client{Options: o}
	c.http = &http.Client{Transport: &http.Transport{DialContext: c.dial, DisableKeepAlives: true}}
	defer c.http.CloseIdleConnections()
	defer c.close()
	tick := time.NewTicker(o.Every)
	defer tick.Stop()
	for {
		event := c.once(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err := tell(event); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

type client struct {
	Options

	http    *http.Client
	address netip.Addr // of the latest lookup
	kept    *connection
}

func (c *client) close() {
	if c.kept != nil {
		_ = c.kept.conn.Close()
	}
}

// once asks DNS what the name is now and requests a page from the first address that it is told.
func (c *client) once(ctx context.Context) Event {
	err := c.lookup(ctx)
	event := Event{Told: time.Now(), Address: c.address}
	if err != nil {
		event.LookupError = err.Error()
		return event
	}
	if err := c.request(ctx); err != nil {
		event.Error = err.Error()
	}
	event.Done = time.Now()
	return event
}

func (c *client) lookup(ctx context.Context) error {
	if c.kept != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, c.Network, c.Name)
	if err != nil {
		return err
	}
	c.address = addresses[0].Unmap()
	return nil
}

// dial connects to the address, whatever the name is by now.
func (c *client) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	// A request that is given up does not give up its connection: without a limit of its own that would go on to knock, and
	// get through a second later.
	return (&net.Dialer{Timeout: c.Timeout}).DialContext(ctx, network, net.JoinHostPort(c.address.String(), c.Port))
}

func (c *client) request(ctx context.Context) error {
	url := "http://" + net.JoinHostPort(c.Name, c.Port)
	if c.Keep {
		return c.requestKept(ctx, url)
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	return read(response)
}

func (c *client) requestKept(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	if c.kept == nil {
		conn, err := c.dial(ctx, "tcp", "")
		if err != nil {
			return err
		}
		c.kept = keep(conn)
	}
	return c.kept.do(ctx, request, c.Timeout)
}
