// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package fqdn

import (
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
)

// Index tells which patterns of a set match a name. Readers take no lock, and a name that nothing matches costs less than
// 200 ns. A change copies one bucket, which has about a dozen of 50,000 patterns.
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
type Index struct {
	seed    uint64 // random, so that nobody can choose names that share a bucket
	buckets [indexBuckets]indexSlot

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

// indexSlot is one place of the table. A bit of sieve is set for each pattern of the bucket, by six further bits of its hash: of
// the dozen of patterns that a bucket has at 50,000 they leave one lookup in six to it, so that most read one cache line.
type indexSlot struct {
	sieve  atomic.Uint64
	bucket atomic.Pointer[indexBucket]
}

// set replaces the bucket. A reader in between sees what is in both, or one of the two.
func (s *indexSlot) set(b *indexBucket) {
	sieve := uint64(0)
	for _, h := range b.hashes {
		sieve |= sieveBit(h)
	}
	s.bucket.Store(b)
	s.sieve.Store(sieve)
}

// whole returns all of the bucket.
func (s *indexSlot) whole() *indexBucket {
	if b := s.bucket.Load(); b != nil {
		return b
	}
	return &indexBucket{}
}

func sieveBit(hash uint64) uint64 { return 1 << (hash >> (64 - indexBits - 6) & 63) }

// indexBucket is immutable. The hashes stand apart, so that a miss reads one or two cache lines.
type indexBucket struct {
	hashes   []uint64
	patterns []Pattern // in the order of hashes
}

// NewIndex returns an empty Index.
func NewIndex() *Index { return &Index{seed: rand.Uint64()} }

// Add puts a pattern into the set. One that is in it already, or the zero Pattern, changes nothing.
func (x *Index) Add(p Pattern) {
	x.writers.Lock()
	defer x.writers.Unlock()
	hash := x.hashOf(p)
	slot := &x.buckets[hash>>(64-indexBits)]
	old := slot.whole()
	if p == (Pattern{}) || old.find(hash, p) >= 0 {
		return
	}
	slot.set(&indexBucket{
		hashes:   append(slices.Clip(old.hashes), hash),
		patterns: append(slices.Clip(old.patterns), p),
	})
}

// Remove takes a pattern out of the set, if it is in it.
func (x *Index) Remove(p Pattern) {
	x.writers.Lock()
	defer x.writers.Unlock()
	hash := x.hashOf(p)
	slot := &x.buckets[hash>>(64-indexBits)]
	old := slot.whole()
	i := old.find(hash, p)
	if i < 0 {
		return
	}
	slot.set(&indexBucket{
		hashes:   slices.Delete(slices.Clone(old.hashes), i, i+1),
		patterns: slices.Delete(slices.Clone(old.patterns), i, i+1),
	})
}

// Matches tells whether a pattern of the set matches n.
func (x *Index) Matches(n Name) bool {
	matches := false
	x.each(n, func(Pattern) bool {
		matches = true
		return false
	})
	return matches
}

// Matching returns the patterns of the set that match n, the most specific last.
func (x *Index) Matching(n Name) []Pattern {
	var matching []Pattern
	x.each(n, func(p Pattern) bool {
		matching = append(matching, p)
		return true
	})
	return matching
}

// each calls yield with the patterns that match n until it returns false.
func (x *Index) each(n Name, yield func(Pattern) bool) {
	if n.s == "" {
		return
	}
	h := x.seed
	for i := len(n.s) - 1; i >= 0; i-- {
		if n.s[i] == '.' {
			hash := finish(h ^ wildcardBit)
			if p, ok := x.bucketOf(hash).wildcardOn(hash, n.s[i+1:]); ok && !yield(p) {
				return
			}
		}
		h = step(h, n.s[i])
	}
	hash := finish(h)
	if b := x.bucketOf(hash); b.find(hash, Pattern(n)) >= 0 {
		yield(Pattern(n))
	}
}

// bucketOf returns the bucket that may have a pattern of that hash, or an empty one.
func (x *Index) bucketOf(hash uint64) *indexBucket {
	slot := &x.buckets[hash>>(64-indexBits)]
	if slot.sieve.Load()&sieveBit(hash) == 0 {
		return &indexBucket{}
	}
	return slot.whole()
}

// find returns the place of p, or -1.
func (b *indexBucket) find(hash uint64, p Pattern) int {
	for i, h := range b.hashes {
		if h == hash && b.patterns[i] == p {
			return i
		}
	}
	return -1
}

// wildcardOn returns the wildcard on apex, if it is in the bucket.
func (b *indexBucket) wildcardOn(hash uint64, apex string) (Pattern, bool) {
	for i, h := range b.hashes {
		if h == hash && b.patterns[i].isWildcard() && b.patterns[i].s[len(wildcard):] == apex {
			return b.patterns[i], true
		}
	}
	return Pattern{}, false
}

// hashOf is the hash of an exact name, or of the apex of a wildcard.
func (x *Index) hashOf(p Pattern) uint64 {
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
