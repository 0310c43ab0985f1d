// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
)

// How long it waits after a failure, from the first to the longest.
const (
	firstRetry   = 500 * time.Millisecond
	longestRetry = 30 * time.Second
)

// enforcer keeps what is loaded equal to what the state of the cluster compiles to.
type enforcer struct {
	log     logr.Logger
	block   verdict
	sync    time.Duration // from reading the state to loading what it means; changes meanwhile wait for the next sync
	load    func(ctx context.Context, ruleset string) error
	changes chan struct{} // holds one wake-up: those that come while it works become one
	loaded  string        // the last ruleset without an error
	ready   atomic.Bool
}

func newEnforcer(log logr.Logger, load func(ctx context.Context, ruleset string) error) *enforcer {
	return &enforcer{log: log, block: drop, load: load, changes: make(chan struct{}, 1)}
}

// wake says that something changed.
func (e *enforcer) wake() {
	select {
	case e.changes <- struct{}{}:
	default:
	}
}

// run enforces once, and then after each change, until ctx ends.
func (e *enforcer) run(ctx context.Context, read func() (state, error)) {
	delay := firstRetry
	for ctx.Err() == nil {
		var retry <-chan time.Time
		if err := e.enforce(ctx, read); err != nil {
			e.log.Error(err, "Enforcing policies", "retryAfter", delay.String())
			retry = time.After(delay)
			delay = min(2*delay, longestRetry)
		} else {
			delay = firstRetry
		}
		select {
		case <-ctx.Done():
		case <-e.changes:
		case <-retry:
		}
	}
}

func (e *enforcer) enforce(ctx context.Context, read func() (state, error)) error {
	s, err := read()
	if err != nil {
		return err
	}
	ruleset, err := compile(s, e.block)
	if err != nil {
		return err
	}
	if ruleset == e.loaded {
		return nil
	}
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(e.sync):
	}
	began := time.Now()
	if err := e.load(ctx, ruleset); err != nil {
		e.loaded = "" // part of it may have worked: whatever comes next is loaded
		return err
	}
	e.loaded = ruleset
	e.ready.Store(true)
	e.log.Info("Loaded a ruleset", "bytes", len(ruleset), "pods", len(s.pods), "policies", len(s.policies),
		"took", time.Since(began).String())
	return nil
}

// answer serves /readyz: 200 once the policies were enforced for the first time.
func (e *enforcer) answer(ctx context.Context, address string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !e.ready.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	server := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
