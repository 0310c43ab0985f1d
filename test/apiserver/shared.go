// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
)

// Shared is a control plane that the tests of one package share. The first test that asks for it starts it, so running
// one test that needs none costs nothing. In a test package:
//
//	var plane = apiserver.NewShared(apiserver.Options{})
//
//	func TestMain(m *testing.M) { os.Exit(plane.Main(m)) }
//
//	func TestSomething(t *testing.T) { s := plane.Server(t) ... }
//
// Tests that share one keep out of each other's way by namespaces of their own.
type Shared struct {
	opts Options

	mu     sync.Mutex
	server *Server // nil until a test asks for it, and if it could not be started
	err    error   // why it could not; every test that asks fails with it
}

// NewShared returns one that is not started yet.
func NewShared(opts Options) *Shared {
	return &Shared{opts: opts}
}

// Server starts the control plane unless it runs, and fails the test when that is impossible.
func (s *Shared) Server(tb testing.TB) *Server {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil && s.err == nil {
		s.server, s.err = Start(context.Background(), s.opts) // it outlives the test, so not the context of the test
	}
	if s.err != nil {
		tb.Fatalf("no control plane: %v", s.err)
	}
	return s.server
}

// Main runs the tests, stops the control plane and returns the exit code for TestMain.
func (s *Shared) Main(m *testing.M) int {
	code := m.Run()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		return code
	}
	if err := s.server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stopping the control plane:", err)
		return max(code, 1)
	}
	return code
}

// StartForTest starts a control plane that only this test uses and that ends with it.
func StartForTest(tb testing.TB, opts Options) *Server {
	tb.Helper()
	s, err := Start(tb.Context(), opts)
	if err != nil {
		tb.Fatalf("no control plane: %v", err)
	}
	tb.Cleanup(func() {
		if err := s.Stop(); err != nil {
			tb.Errorf("stopping the control plane: %v", err)
		}
	})
	return s
}
