// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// shape is one configuration: a pool, and how many caches hand it out.
type shape struct {
	Pool      int `json:"pool"`      // addresses of the name
	PerAnswer int `json:"perAnswer"` // of which an answer holds so many
	TTL       int `json:"ttl"`       // seconds
	Replicas  int `json:"replicas"`  // caches, each with entries of its own
}

func (s shape) String() string {
	return fmt.Sprintf("n%d-k%d-ttl%d-r%d", s.Pool, s.PerAnswer, s.TTL, s.Replicas)
}

func (s shape) host() string       { return s.String() + ".coherence.example" }
func (s shape) ttl() time.Duration { return time.Duration(s.TTL) * time.Second }

// addresses returns the pool of the i-th configuration, within the block for benchmarks (RFC 2544).
func (s shape) addresses(i int) []string {
	pool := make([]string, s.Pool)
	for j := range pool {
		pool[j] = netip.AddrFrom4([4]byte{198, 18 + byte(i/16), byte(i%16<<4 | j>>8), byte(j)}).String()
	}
	return pool
}

// aim is the share of misses at once, after the first minute, that the controller should stay below, in percent.
func (s shape) aim() float64 {
	switch {
	case s.Pool <= 64:
		return 0.1
	case s.Pool <= 256:
		return 0.3
	case s.Pool <= 1024:
		return 1
	}
	return 2.5
}

// maxPool is what addresses can number.
const maxPool = 4096

// parseShapes reads "pool,per answer,TTL,replicas", separated by spaces.
func parseShapes(text string) ([]shape, error) {
	var shapes []shape
	seen := map[shape]bool{}
	for field := range strings.FieldsSeq(text) {
		var numbers []int
		for part := range strings.SplitSeq(field, ",") {
			n, err := strconv.Atoi(part)
			if err != nil || n <= 0 || n > maxPool {
				return nil, fmt.Errorf("%q: %q is not within 1 and %d", field, part, maxPool)
			}
			numbers = append(numbers, n)
		}
		if len(numbers) != 4 {
			return nil, fmt.Errorf("%q is not pool,per answer,TTL,replicas", field)
		}
		s := shape{numbers[0], numbers[1], numbers[2], numbers[3]}
		if seen[s] {
			return nil, fmt.Errorf("%q comes twice", field)
		}
		seen[s] = true
		shapes = append(shapes, s)
	}
	if len(shapes) == 0 {
		return nil, fmt.Errorf("no configuration")
	}
	return shapes, nil
}
