// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"container/heap"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

// query is one question to one upstream, for as long as both are wanted. The Resolver's loop alone touches it. It takes 96 bytes, as
// there may be hundreds of thousands: times count from the Resolver's epoch, and what few queries have is behind pointers.
type query struct {
	about *subject
	lane  *lane
	next  *query // about the same subject; nil: the last one

	due    time.Duration // when it is to be asked next
	index  int32         // its place in the heap of what is not due yet; elsewhere flying, waiting or gone
	family addressbook.Family
	queue  class // in whose queue it waits for a turn

	// good: the last answer was a good one. phase is when it ends at the upstream, path its chain of aliases; nil: it has none.
	good  bool
	phase phase
	path  *path
	// trouble is kept while a query fails; nil: its last answer was good, or it had none.
	trouble *trouble
}

// An index of a query that is not in the heap.
const (
	flying  int32 = -1 - iota // it is in flight, or about to be put where it waits
	waiting                   // it waits for a turn
	gone                      // nobody wants it any more; an answer that is on its way is dropped
)

// path is the names of a chain of aliases, without the question's own. Queries about one subject that were told the same share it.
type path struct{ names []string }

// class is the kind of queries that a query competes with for workers and budget.
type class uint8

// classes is how many there are.
const classes = 3

const (
	healthy class = iota // its last answer was good
	fresh                // never asked
	retry                // its last answer was a failure
)

func (q *query) class() class {
	switch {
	case q.good:
		return healthy
	case q.trouble == nil:
		return fresh
	}
	return retry
}

const (
	firstBackoff = 1250 * time.Millisecond
	maxBackoff   = 5 * time.Second
	longBackoff  = 30 * time.Second
	longFailing  = 5 * time.Minute
	jitter       = 0.2 // the part of a backoff that is left to chance
)

// backoff is how long to wait after that many failures in a row: from one second, doubling, to five; half a minute once
// the failures have lasted for five minutes. The jitter keeps the retries of an upstream that died from coming together.
func backoff(failures int, failing time.Duration, random float64) time.Duration {
	d := maxBackoff
	if doublings := failures - 1; doublings < 2 {
		d = firstBackoff << doublings
	}
	if failing >= longFailing {
		d = longBackoff
	}
	return d - time.Duration(jitter*random*float64(d))
}

// dueHeap orders queries by when they are due.
type dueHeap []*query

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].due < h[j].due }

func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = int32(i), int32(j)
}

// Push is for container/heap.
func (h *dueHeap) Push(x any) {
	q := x.(*query)
	q.index = int32(len(*h))
	*h = append(*h, q)
}

// Pop is for container/heap.
func (h *dueHeap) Pop() any {
	old := *h
	q := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	q.index = flying
	return q
}

func (h *dueHeap) add(q *query) { heap.Push(h, q) }

// remove takes out q, if it is in the heap.
func (h *dueHeap) remove(q *query) {
	if q.index >= 0 {
		heap.Remove(h, int(q.index))
	}
}

// next returns the earliest query if it is due.
func (h *dueHeap) next(now time.Duration) *query {
	if len(*h) == 0 || (*h)[0].due > now {
		return nil
	}
	return heap.Pop(h).(*query)
}
