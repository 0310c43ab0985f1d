// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"maps"
	"slices"
	"sync"
)

// wantedNames is what Wanted knows, until the resolver has moved to Subscribe.
type wantedNames struct {
	once   sync.Once
	s      *Subscription
	mu     sync.Mutex
	known  map[Subject]bool
	signal chan struct{}
}

// Wanted returns the exact names that somebody wants, in their views, sorted, and a channel that is closed when that set
// changes.
//
// A name that went and came back since the last call, with nothing known of it any more, is left out once, and the
// channel is closed already: who compares the sets sees it go and come.
func (b *Book) Wanted() ([]Subject, <-chan struct{}) {
	w := &b.wanted
	w.once.Do(func() {
		w.known, w.signal = map[Subject]bool{}, make(chan struct{})
		w.s = b.Subscribe()
		w.s.mu.Lock()
		w.s.signalled0 = w.notify
		w.s.mu.Unlock()
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	anew := map[Subject]bool{}
	for _, c := range w.s.Take() {
		switch {
		case len(c.Tenants) == 0:
			delete(w.known, c.Subject)
		case c.Anew && w.known[c.Subject]:
			delete(w.known, c.Subject)
			anew[c.Subject] = true
		default:
			w.known[c.Subject] = true
		}
	}
	names := slices.SortedFunc(maps.Keys(w.known), Subject.Compare)
	if len(anew) > 0 {
		maps.Copy(w.known, anew)
		again := make(chan struct{})
		close(again)
		return names, again
	}
	return names, w.signal
}

func (w *wantedNames) notify() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.signal)
	w.signal = make(chan struct{})
}
