// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package fqdn

import (
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
)

// Patterned is what an Index has: something of a pattern.
type Patterned interface{ Pattern() Pattern }

// Index finds things by a pattern, and by a name that their patterns match. Readers take no lock, and a name that nothing matches
// costs less than 200 ns. A change copies one bucket, which has about a dozen of 50,000 things.
//
// A name is hashed from its end, so the hash of each suffix falls out on the way. The patterns example.com, *.example.com
// and *.com.au are found like this:
//
//	www.example.com   read so far     looked up
//	             m    com             *.com
//	         e.com    example.com     *.example.com, found
//	www.example.com   all             www.example.com
//
// Its methods are safe for concurrent use. The zero Index is not usable.
type Index[T Patterned] struct {
	seed    uint64 // random, so that nobody can choose names that share a bucket
	buckets [indexBuckets]indexSlot[T]

	writers sync.Mutex
}

const (
	// indexBuckets is a power of two, so that the upper bits of a hash are the number of a bucket: 64 - indexBits are cut off.
	indexBuckets = 1 << indexBits
	indexBits    = 12
	// spread is odd and has many bits set: the multiplier of Knuth's multiplicative hashing, 2^64 divided by the golden ratio.
	spread = 0x9e3779b97f4a7c15
	// wildcardBit tells the hash of *.example.com from that of example.com.
	wildcardBit = 1
)

// indexSlot is one place of the table. A bit of sieve is set for each entry of the bucket, by six further bits of its hash: of
// the dozen of entries that a bucket has at 50,000 they leave one lookup in six to it, so that most read one cache line.
type indexSlot[T Patterned] struct {
	sieve  atomic.Uint64
	bucket atomic.Pointer[indexBucket[T]]
}

// set replaces the bucket. A reader meanwhile finds what both have; what one of them lacks it may find or not.
func (s *indexSlot[T]) set(b indexBucket[T]) {
	sieve := uint64(0)
	for _, e := range b {
		sieve |= sieveBit(e.hash)
	}
	s.bucket.Store(&b)
	s.sieve.Store(sieve)
}

// whole returns all of the bucket.
func (s *indexSlot[T]) whole() indexBucket[T] {
	if b := s.bucket.Load(); b != nil {
		return *b
	}
	return nil
}

func sieveBit(hash uint64) uint64 { return 1 << (hash >> (64 - indexBits - 6) & 63) }

// indexBucket is immutable. It has the hashes, so that a miss follows no pointer.
type indexBucket[T Patterned] []indexEntry[T]

type indexEntry[T Patterned] struct {
	hash uint64
	is   T
}

// NewIndex returns an empty Index.
func NewIndex[T Patterned]() *Index[T] { return &Index[T]{seed: rand.Uint64()} }

// Add puts something into the index. If there is something of that pattern already, or the pattern is the zero Pattern, it changes
// nothing.
func (x *Index[T]) Add(is T) {
	x.writers.Lock()
	defer x.writers.Unlock()
	p := is.Pattern()
	hash := x.hashOf(p)
	slot := x.slotOf(hash)
	old := slot.whole()
	if p == (Pattern{}) || old.find(hash, p) >= 0 {
		return
	}
	slot.set(append(slices.Clip(old), indexEntry[T]{hash, is}))
}

// Remove takes out what has that pattern, if there is something.
func (x *Index[T]) Remove(p Pattern) {
	x.writers.Lock()
	defer x.writers.Unlock()
	hash := x.hashOf(p)
	slot := x.slotOf(hash)
	old := slot.whole()
	i := old.find(hash, p)
	if i < 0 {
		return
	}
	slot.set(slices.Delete(slices.Clone(old), i, i+1))
}

// Get returns what has that very pattern; the zero T if there is none.
func (x *Index[T]) Get(p Pattern) (is T) {
	hash := x.hashOf(p)
	b := x.bucketOf(hash)
	if i := b.find(hash, p); i >= 0 {
		is = b[i].is
	}
	return is
}

// Each calls do with all that is in the index, in no order. What comes or goes meanwhile may be missed.
func (x *Index[T]) Each(do func(T)) {
	for i := range x.buckets {
		for _, e := range x.buckets[i].whole() {
			do(e.is)
		}
	}
}

// Matches tells whether a pattern in the index matches n.
func (x *Index[T]) Matches(n Name) bool {
	matches := false
	x.each(n, func(T) bool {
		matches = true
		return false
	})
	return matches
}

// Matching returns what has a pattern that matches n, the most specific last.
func (x *Index[T]) Matching(n Name) []T {
	var matching []T
	x.each(n, func(is T) bool {
		matching = append(matching, is)
		return true
	})
	return matching
}

// each calls yield with what has a pattern that matches n until it returns false.
func (x *Index[T]) each(n Name, yield func(T) bool) {
	if n.s == "" {
		return
	}
	h := x.seed
	for i := len(n.s) - 1; i >= 0; i-- {
		if n.s[i] == '.' {
			hash := finish(h ^ wildcardBit)
			b := x.bucketOf(hash)
			if j := b.wildcardOn(hash, n.s[i+1:]); j >= 0 && !yield(b[j].is) {
				return
			}
		}
		h = step(h, n.s[i])
	}
	hash := finish(h)
	b := x.bucketOf(hash)
	if j := b.find(hash, Pattern(n)); j >= 0 {
		yield(b[j].is)
	}
}

func (x *Index[T]) slotOf(hash uint64) *indexSlot[T] { return &x.buckets[hash>>(64-indexBits)] }

// bucketOf returns the bucket that may have a pattern of that hash, or an empty one.
func (x *Index[T]) bucketOf(hash uint64) indexBucket[T] {
	slot := x.slotOf(hash)
	if slot.sieve.Load()&sieveBit(hash) == 0 {
		return nil
	}
	return slot.whole()
}

// find returns the place of what has the pattern p, or -1.
func (b indexBucket[T]) find(hash uint64, p Pattern) int {
	for i := range b {
		if b[i].hash == hash && b[i].is.Pattern() == p {
			return i
		}
	}
	return -1
}

// wildcardOn returns the place of the wildcard on apex, or -1.
func (b indexBucket[T]) wildcardOn(hash uint64, apex string) int {
	for i := range b {
		if b[i].hash != hash {
			continue
		}
		if p := b[i].is.Pattern(); p.isWildcard() && p.s[len(wildcard):] == apex {
			return i
		}
	}
	return -1
}

// hashOf is the hash of an exact name, or of the apex of a wildcard.
func (x *Index[T]) hashOf(p Pattern) uint64 {
	bare, bit := p.s, uint64(0)
	if p.isWildcard() {
		bare, bit = p.s[len(wildcard):], wildcardBit
	}
	h := x.seed
	for i := len(bare) - 1; i >= 0; i-- {
		h = step(h, bare[i])
	}
	return finish(h ^ bit)
}

// step takes one byte into the hash, and finish spreads what was taken in over the upper bits.
func step(h uint64, c byte) uint64 { return (h ^ uint64(c)) * spread }

func finish(h uint64) uint64 { return (h ^ h>>32) * spread }
