// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import "net/netip"

// service is what a view gets from its sources.
type service struct {
	sources int  // how many are asked, as the producer says
	heard   bool // one of them gave a good answer
	owners  int  // how many name the view
}

// Serve takes how many sources a producer asks for a view now. Zero, as before the first Serve: none is known, or none may
// be asked. OnChange tells the owners of the view when the number becomes zero or stops being it. A producer that
// serves a view nobody names any more says zero once, so that the Book forgets the view.
func (b *Book) Serve(v View, sources int) {
	b.notify(b.serve(v, sources))
}

func (b *Book) serve(v View, sources int) []Owner {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.serviceOf(v)
	before := s.sources
	s.sources = max(sources, 0)
	b.dropService(v)
	if (before == 0) == (s.sources == 0) {
		return nil
	}
	return b.ownersIn(v)
}

// hear takes note of a good answer in a view. It returns the owners in the view if it is the first one.
func (b *Book) hear(v View) []Owner {
	s := b.serviceOf(v)
	if s.heard {
		return nil
	}
	s.heard = true
	return b.ownersIn(v)
}

// serviceOf returns the service of a view, which it makes if need be.
func (b *Book) serviceOf(v View) *service {
	s := b.services[v]
	if s == nil {
		s = &service{}
		b.services[v] = s
	}
	return s
}

// enter counts an owner more in a view, leave one less.
func (b *Book) enter(v View) { b.serviceOf(v).owners++ }

func (b *Book) leave(v View) {
	b.services[v].owners--
	b.dropService(v)
}

// dropService forgets a view that nobody names and nobody serves, so that views which come and go leave nothing behind. The
// zero View stays: what it heard holds for the process.
func (b *Book) dropService(v View) {
	if s := b.services[v]; v != "" && s.owners == 0 && s.sources == 0 {
		delete(b.services, v)
	}
}

// ownersIn returns the owners that name a view.
func (b *Book) ownersIn(v View) []Owner {
	var owners []Owner
	for o, w := range b.owners {
		if w.view == v {
			owners = append(owners, o)
		}
	}
	return owners
}

// Holders returns the sources by whose answers a subject has an address, sorted: the last answer of each held it, or an
// earlier one did and the address is still retained. None: the address is not, or no longer, known.
func (b *Book) Holders(s Subject, a netip.Addr) []Source {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.names[s]
	if n == nil {
		return nil
	}
	var holders []Source
	for i := range n.questions {
		if q := &n.questions[i]; q.has(a) {
			holders = append(holders, q.source)
		}
	}
	return holders
}
