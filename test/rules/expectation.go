// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Expectation waits until NetworkPolicies hold certain peers. A Watch makes it.
type Expectation struct {
	watch    *Watch
	wants    map[types.NamespacedName][]Peer // of those that do not yet
	at       map[types.NamespacedName]time.Time
	complete chan struct{} // closed when all do
}

// Expect begins to wait for peers, of one NetworkPolicy at least. What is there already counts as there now. Every
// expectation is awaited.
func (w *Watch) Expect(wants map[types.NamespacedName][]Peer) *Expectation {
	e := &Expectation{watch: w, wants: wants, at: make(map[types.NamespacedName]time.Time, len(wants)), complete: make(chan struct{})}
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending[e] = true
	for name, peers := range w.peers {
		e.look(name, peers, now)
	}
	return e
}

func (e *Expectation) look(name types.NamespacedName, has map[Peer]bool, now time.Time) {
	wants, waiting := e.wants[name]
	if !waiting || slices.ContainsFunc(wants, func(p Peer) bool { return !has[p] }) {
		return
	}
	e.at[name] = now
	delete(e.wants, name)
	if len(e.wants) == 0 {
		close(e.complete)
	}
}

// Await returns, sorted, when each of the NetworkPolicies became complete.
func (e *Expectation) Await(ctx context.Context, limit time.Duration) ([]time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case <-e.complete:
	case <-e.watch.done:
	case <-ctx.Done():
	}
	e.watch.mu.Lock()
	defer e.watch.mu.Unlock()
	delete(e.watch.pending, e)
	if len(e.wants) > 0 {
		return nil, fmt.Errorf("%d NetworkPolicies are not complete, waited for at most %s: %w", len(e.wants), limit, errors.Join(e.watch.err, ctx.Err()))
	}
	at := make([]time.Time, 0, len(e.at))
	for _, when := range e.at {
		at = append(at, when)
	}
	slices.SortFunc(at, time.Time.Compare)
	return at, nil
}
