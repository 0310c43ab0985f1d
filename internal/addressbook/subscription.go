// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"slices"
	"sync"
)

// WantedChange is a subject that is wanted by others than before.
type WantedChange struct {
	Subject Subject
	// Tenants want it, sorted: the first 64 that came. None: nobody does any more.
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

// subscribers are all Subscriptions of a Book.
type subscribers struct {
	mu  sync.RWMutex
	all []*Subscription
}

// Subscribe returns a Subscription whose first Take returns all that is wanted. Wildcards are not among that: they name nothing
// to ask for. Close it when it is not read any more.
func (b *Book) Subscribe() *Subscription {
	s := &Subscription{book: b, changed: make(chan struct{}, 1), pending: map[Subject]bool{}}
	b.subscribers.add(s) // before it looks, so that it misses nothing
	for _, v := range b.allViews() {
		b.eachName(v, func(n *name) {
			if n.exact() {
				s.note(n.subject(), false)
			}
		})
	}
	s.signal()
	return s
}

func (ss *subscribers) add(s *Subscription) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.all = append(ss.all, s)
}

// Close ends the subscription.
func (s *Subscription) Close() {
	ss := &s.book.subscribers
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.all = slices.DeleteFunc(ss.all, func(t *Subscription) bool { return s == t })
}

// Changed has a value when there is something to Take, or the Families changed.
func (s *Subscription) Changed() <-chan struct{} { return s.changed }

// Take returns what changed since the last Take, one for each subject, sorted by subject. A subject that came and went
// again is among them, without tenants.
func (s *Subscription) Take() []WantedChange {
	pending := s.take()
	changes := make([]WantedChange, 0, len(pending))
	for about, went := range pending {
		c := WantedChange{Subject: about}
		if n := s.book.find(about.View, about.Name.Pattern()); n != nil {
			c.Tenants = n.tenants()
		}
		c.Anew = went && len(c.Tenants) > 0
		changes = append(changes, c)
	}
	slices.SortFunc(changes, func(a, b WantedChange) int { return a.Subject.Compare(b.Subject) })
	return changes
}

func (s *Subscription) take() map[Subject]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	pending := s.pending
	s.pending = map[Subject]bool{}
	return pending
}

// note takes note that others want a subject than before.
func (ss *subscribers) note(about Subject, went bool) {
	ss.mu.RLock()
	defer ss.mu.RUnlock()
	for _, s := range ss.all {
		s.note(about, went)
		s.signal()
	}
}

// signal says that the families changed.
func (ss *subscribers) signal() {
	ss.mu.RLock()
	defer ss.mu.RUnlock()
	for _, s := range ss.all {
		s.signal()
	}
}

func (s *Subscription) note(about Subject, went bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending[about] = s.pending[about] || went
}

func (s *Subscription) signal() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}
