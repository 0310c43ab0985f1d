// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import "sync/atomic"

// Stats counts what the book holds.
type Stats struct {
	Owners    int
	Patterns  int // over all owners, also those that wait for room; a pattern that two owners list counts twice
	Names     int // distinct exact names, in each view
	Wildcards int // distinct
	Questions int // (name, family, source)
	Addresses int // over all names and wildcards; distinct within one
	Captures  int // addresses that rotations remember
	// Evicted counts, since the start, each time that an address was left out of an answer or went because of a limit.
	Evicted uint64
	// Limited counts the tenants that a limit holds something back from now, by Limit. AddressesPerName is not counted here.
	Limited [limits]int
}

// counts are kept as things change, so that Stats walks over nothing.
type counts struct {
	patterns  atomic.Int64
	wildcards atomic.Int64
	names     atomic.Int64
	listings  atomic.Int64 // patterns that do not wait for room
	questions atomic.Int64
	addresses atomic.Int64
	captures  atomic.Int64
	evicted   atomic.Uint64
	tenants   atomic.Int64
	full      atomic.Int64 // tenants with MaxAddressesPerTenant or more

	fullOfCaptures atomic.Int64 // tenants with as many captures as they may have
}

// Stats counts what the book holds now.
func (b *Book) Stats() Stats {
	b.rlock()
	s := Stats{Owners: len(b.owners)}
	for _, t := range b.waiting {
		s.Limited[t.waiting.first().limit]++
	}
	b.runlock()
	s.Patterns = int(b.counts.patterns.Load())
	s.Names, s.Wildcards = int(b.counts.names.Load()), int(b.counts.wildcards.Load())
	s.Questions = int(b.counts.questions.Load())
	s.Addresses = int(b.counts.addresses.Load())
	s.Captures = int(b.counts.captures.Load())
	s.Evicted = b.counts.evicted.Load()
	s.Limited[AddressesPerTenant] = int(b.counts.full.Load())
	s.Limited[CapturesPerTenant] = int(b.counts.fullOfCaptures.Load())
	if limit := b.options.MaxAddresses; s.Addresses >= limit-limit/5 {
		s.Limited[AddressesOfProcess] = 1
	}
	return s
}
