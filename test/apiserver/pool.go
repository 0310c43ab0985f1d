// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
)

// Pool is a few control planes of which each test has one for itself, so that tests that mostly wait can do so side by side
// although they look at all namespaces. One is started when a test asks and none is free. In a test package:
//
//	var planes = apiserver.NewPool(3, apiserver.Options{})
//
//	func TestMain(m *testing.M) { os.Exit(planes.Main(m)) }
//
//	func TestSomething(t *testing.T) { t.Parallel(); s := planes.Take(t) ... }
//
// What a test leaves behind is met by the next.
type Pool struct {
	opts Options

	places chan struct{} // as many as may be started yet
	free   chan *Server
}

// NewPool returns one of at most size control planes, none of which is started yet.
func NewPool(size int, opts Options) *Pool {
	p := &Pool{opts: opts, places: make(chan struct{}, size), free: make(chan *Server, size)}
	for range size {
		p.places <- struct{}{}
	}
	return p
}

// Take returns a control plane that nobody else has until the test and its cleanups that were registered later are over. It
// waits for one, and fails the test when one cannot be started. A test that takes two may wait for ever.
func (p *Pool) Take(tb testing.TB) *Server {
	tb.Helper()
	s, err := p.take()
	if err != nil {
		tb.Fatalf("no control plane: %v", err)
	}
	tb.Cleanup(func() { p.free <- s })
	return s
}

func (p *Pool) take() (*Server, error) {
	select {
	case s := <-p.free: // rather than starting one
		return s, nil
	default:
	}
	select {
	case s := <-p.free:
		return s, nil
	case <-p.places:
	}
	s, err := Start(context.Background(), p.opts) // it outlives the test, so not the context of the test
	if err != nil {
		p.places <- struct{}{}
	}
	return s, err
}

// Main runs the tests, stops the control planes and returns the exit code for TestMain.
func (p *Pool) Main(m *testing.M) int {
	code := m.Run()
	close(p.free) // no test runs any more
	var errs []error
	for s := range p.free {
		errs = append(errs, s.Stop())
	}
	if err := errors.Join(errs...); err != nil {
		fmt.Fprintln(os.Stderr, "stopping the control planes:", err)
		return max(code, 1)
	}
	return code
}
