// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"maps"
	"slices"
	"sync"
)

// WantedChange is a subject that is wanted by others than before.
type WantedChange struct {
	Subject Subject
	// Tenants want it, sorted, the first 64 of them; none: nobody does any more. Shared: do not change it.
	Tenants []Tenant
	// Anew: it went and came back since the last Take, so that nothing is known of it any more.
	Anew bool
}

// Subscription is what one producer knows of the subjects that are wanted. Its methods are safe for concurrent use.
type Subscription struct {
	book    *Book
	changed chan struct{}

	mu sync.Mutex
	// pending are the subjects that changed since the last Take; true: it went.
	pending map[Subject]bool
}

// Subscribe returns a Subscription whose first Take returns all that is wanted. Close it when it is not read any more.
func (b *Book) Subscribe() *Subscription {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &Subscription{book: b, changed: make(chan struct{}, 1), pending: make(map[Subject]bool, len(b.names))}
	for about := range b.names {
		s.pending[about] = false
	}
	b.subscriptions = append(b.subscriptions, s)
	s.signal()
	return s
}

// Close ends the subscription.
func (s *Subscription) Close() {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	s.book.subscriptions = slices.DeleteFunc(s.book.subscriptions, func(t *Subscription) bool { return s == t })
}

// Changed has a value when there is something to Take, or the Families changed.
func (s *Subscription) Changed() <-chan struct{} { return s.changed }

// Take returns what changed since the last Take, one for each subject, sorted by subject. A subject that came and went
// again is among them, without tenants.
func (s *Subscription) Take() []WantedChange {
	s.mu.Lock()
	pending := s.pending
	s.pending = map[Subject]bool{}
	s.mu.Unlock()
	changes := make([]WantedChange, 0, len(pending))
	for about, went := range pending {
		tenants := s.book.tenantsOf(about)
		changes = append(changes, WantedChange{Subject: about, Tenants: tenants, Anew: went && len(tenants) > 0})
	}
	slices.SortFunc(changes, func(a, b WantedChange) int { return a.Subject.Compare(b.Subject) })
	return changes
}

func (b *Book) tenantsOf(about Subject) []Tenant {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.names[about]
	if n == nil {
		return nil
	}
	tenants := map[Tenant]bool{}
	for _, w := range n.owners {
		tenants[w.Tenant()] = true
	}
	return slices.Sorted(maps.Keys(tenants))
}

// note takes note that others want a subject than before.
func (b *Book) note(about Subject, went bool) {
	for _, s := range b.subscriptions {
		s.note(about, went)
	}
}

func (s *Subscription) note(about Subject, went bool) {
	s.mu.Lock()
	s.pending[about] = s.pending[about] || went
	s.mu.Unlock()
	s.signal()
}

func (s *Subscription) signal() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}
