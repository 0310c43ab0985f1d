// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fqdn-egress/fqdn-egress/test/e2e/traffic"
)

// stream is traffic that a pod makes while something happens.
type stream struct {
	t     *testing.T
	end   func()
	ended chan struct{}
	err   error // once it ended

	mu      sync.Mutex
	events  []traffic.Event
	changed chan struct{} // closed at the next event
}

// traffic makes the pod request pages until the test ends, or stop. flags are those of `world traffic`.
func (s *scene) traffic(p pod, flags ...string) *stream {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	stdin, hangUp := io.Pipe()
	lines, stdout := io.Pipe()
	st := &stream{t: s.t, end: func() { _ = hangUp.Close() }, ended: make(chan struct{}), changed: make(chan struct{})}
	recorded := make(chan struct{})
	go func() {
		defer close(recorded)
		st.record(lines)
	}()
	go func() {
		defer close(st.ended)
		st.err = p.exec(ctx, stdin, stdout, append([]string{"world", "traffic"}, flags...)...)
		_ = stdout.Close()
		<-recorded
	}()
	s.t.Cleanup(func() {
		defer cancel()
		st.end()
		select {
		case <-st.ended:
		case <-time.After(patience):
			s.t.Error("the traffic does not end")
		}
	})
	st.next(func(traffic.Event) bool { return true })
	return st
}

// open makes the pod request pages over one connection. A connection that is cut answers nothing any more, so a request may
// take long: a client gives a slow one up by closing the connection itself, and on a busy machine an answer can take a second.
func (s *scene) open(p pod, name, port string) *stream {
	s.t.Helper()
	return s.traffic(p, "-keep", "-every=50ms", "-timeout=30s", name, port)
}

// wantAnswered waits until a request that is made from now on was answered, and wants none to have been dropped until then.
func (st *stream) wantAnswered() {
	st.t.Helper()
	now := time.Now()
	st.next(func(e traffic.Event) bool { return e.Error != "" || e.Told.After(now) })
	st.wantNoneDropped()
}

func (st *stream) record(lines io.Reader) {
	scanner := bufio.NewScanner(lines)
	for scanner.Scan() {
		var e traffic.Event
		if err := json.Unmarshal(scanner.Bytes(), &e); err != nil {
			st.t.Errorf("traffic: %v: %s", err, scanner.Text())
			return
		}
		st.mu.Lock()
		st.events = append(st.events, e)
		close(st.changed)
		st.changed = make(chan struct{})
		st.mu.Unlock()
	}
}

// next waits for an event, from the first one on, for which is holds, and returns the first.
func (st *stream) next(is func(traffic.Event) bool) traffic.Event {
	st.t.Helper()
	ctx, cancel := context.WithTimeout(st.t.Context(), patience)
	defer cancel()
	seen := 0
	for {
		events, changed := st.since(seen)
		for _, e := range events {
			if is(e) {
				return e
			}
		}
		seen += len(events)
		select {
		case <-changed:
		case <-st.ended:
			st.t.Fatalf("the traffic ended: %v", st.err)
		case <-ctx.Done():
			st.t.Fatalf("no such request in %s; of %d the last: %+v", patience, seen, events[max(0, len(events)-3):])
		}
	}
}

func (st *stream) since(n int) (events []traffic.Event, changed <-chan struct{}) {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.events[n:len(st.events):len(st.events)], st.changed
}

// stop ends the traffic and returns all of it.
func (st *stream) stop() []traffic.Event {
	st.t.Helper()
	st.end()
	if <-st.ended; st.err != nil {
		st.t.Fatalf("traffic: %v", st.err)
	}
	events, _ := st.since(0)
	return events
}

// wantNoneDropped stops the traffic and wants every request of it to have been answered, and every lookup before.
func (st *stream) wantNoneDropped() {
	st.t.Helper()
	if lookups := st.wantNoneDroppedBut(); lookups > 0 {
		st.t.Errorf("%d lookups failed", lookups)
	}
}

// wantNoneDroppedBut stops the traffic and wants every request of it to have been answered, but for those to addresses that
// are excepted. It returns how many lookups failed.
func (st *stream) wantNoneDroppedBut(except ...string) (lookups int) {
	st.t.Helper()
	events := st.stop()
	dropped := 0
	for _, e := range events {
		if e.Error != "" && !slices.Contains(except, e.Address.String()) {
			if dropped++; dropped <= 3 {
				st.t.Errorf("dropped: %+v", e)
			}
		}
		if e.LookupError != "" {
			lookups++
		}
	}
	if len(events)-lookups < 10 {
		st.t.Errorf("%d requests, %d of them failed lookups, show nothing", len(events)-lookups, lookups)
	}
	st.t.Logf("%d requests, %d dropped, %d failed lookups", len(events)-lookups, dropped, lookups)
	return lookups
}
