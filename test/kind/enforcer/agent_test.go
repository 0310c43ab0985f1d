// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// agentVariable makes this test binary an agent: a process in a network namespace that does what the test asks of it
// over its standard input and output.
const agentVariable = "ENFORCER_TEST_AGENT"

func TestMain(m *testing.M) {
	if os.Getenv(agentVariable) != "" {
		if err := serveAgent(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func serveAgent() error {
	server := rpc.NewServer()
	if err := server.Register(&Agent{}); err != nil {
		return err
	}
	server.ServeConn(struct { // until the test closes its end
		io.Reader
		io.WriteCloser
	}{os.Stdin, os.Stdout})
	return nil
}

// Agent is what a process in a network namespace can do. Its methods have the form that net/rpc wants.
type Agent struct {
	got  atomic.Int64 // connections and datagrams that arrived
	port atomic.Int64 // UDP ports that were used
	mu   sync.Mutex
	open net.Conn
}

// Dial is an attempt to reach a server.
type Dial struct {
	Network, Address string
	Timeout          time.Duration
}

// Listen serves an address: it echoes.
func (a *Agent) Listen(d Dial, _ *struct{}) error {
	if d.Network == "udp" {
		conn, err := net.ListenPacket(d.Network, d.Address)
		if err == nil {
			go a.echoDatagrams(conn)
		}
		return err
	}
	l, err := net.Listen(d.Network, d.Address)
	if err == nil {
		go a.echoStreams(l)
	}
	return err
}

func (a *Agent) echoDatagrams(conn net.PacketConn) {
	buf := make([]byte, 100)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		a.got.Add(1)
		_, _ = conn.WriteTo(buf[:n], from)
	}
}

func (a *Agent) echoStreams(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		a.got.Add(1)
		go func() {
			_, _ = io.Copy(conn, conn)
			conn.Close()
		}()
	}
}

// Got counts the connections and datagrams that arrived.
func (a *Agent) Got(_ struct{}, n *int64) error {
	*n = a.got.Load()
	return nil
}

// Reach gets one byte to a server and back.
func (a *Agent) Reach(d Dial, _ *struct{}) error {
	conn, err := a.dialer(d).Dial(d.Network, d.Address)
	if err != nil {
		return err
	}
	defer conn.Close()
	return echo(conn, d.Timeout)
}

// dialer never uses a UDP port twice: conntrack knows an exchange that was allowed for minutes, and takes what comes from
// the same port for more of it.
func (a *Agent) dialer(d Dial) *net.Dialer {
	const first, last = 10_000, 32_000 // below those that the kernel chooses
	dialer := &net.Dialer{Timeout: d.Timeout}
	if d.Network == "udp" {
		dialer.LocalAddr = &net.UDPAddr{Port: first + int(a.port.Add(1))%(last-first)}
	}
	return dialer
}

// Flood sends datagrams until the timeout, thousands a second at most, so that nft gets its turn, and counts them.
func (a *Agent) Flood(d Dial, n *int64) error {
	conn, err := a.dialer(Dial{Network: d.Network}).Dial(d.Network, d.Address)
	if err != nil {
		return err
	}
	defer conn.Close()
	for end := time.Now().Add(d.Timeout); time.Now().Before(end); *n++ {
		if _, err := conn.Write([]byte("x")); err != nil {
			return err
		}
		time.Sleep(100 * time.Microsecond)
	}
	return nil
}

// Open makes a connection for Use.
func (a *Agent) Open(d Dial, _ *struct{}) error {
	conn, err := net.DialTimeout(d.Network, d.Address, d.Timeout)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open = conn
	return nil
}

// Use gets one byte through the open connection and back.
func (a *Agent) Use(timeout time.Duration, _ *struct{}) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return echo(a.open, timeout)
}

func echo(conn net.Conn, timeout time.Duration) error {
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("x")); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, make([]byte, 1))
	return err
}

// Resent counts the SYN segments that TCP of this namespace sent again: each follows one that got lost, or a second in which
// the machine did nothing.
func (a *Agent) Resent(_ struct{}, n *int64) error {
	data, err := os.ReadFile("/proc/net/netstat")
	if err != nil {
		return err
	}
	var names []string
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		switch {
		case fields[0] != "TcpExt:":
		case names == nil:
			names = fields
		default:
			for i, name := range names {
				if name == "TCPSynRetrans" {
					_, err := fmt.Sscan(fields[i], n)
					return err
				}
			}
		}
	}
	return errors.New("no TCPSynRetrans in /proc/net/netstat")
}
