// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"container/heap"
	"time"
)

// query is one question to one upstream, for as long as both are wanted. The Resolver's loop alone touches it.
type query struct {
	asking
	lane *lane

	// due is when it is to be asked next; index is its place in the heap, -1 while it is not there (it waits or is in flight).
	due   time.Time
	index int
	// waits: it waits for a turn in the queue of a class.
	waits bool
	queue class
	// gone: nobody wants it any more. An answer that is on its way is dropped.
	gone bool

	asked bool // at least once
	// good: the last answer was a good one, to be refreshed at refresh. phase is when it ends at the upstream.
	good    bool
	phase   phase
	refresh time.Time
	// path is the chain of the last good answer, if it has a link.
	path []string
	// trouble is kept while a query fails; nil: its last answer was good, or it had none.
	trouble *trouble
}

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
	case !q.asked:
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
func (h dueHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }

func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push is for container/heap.
func (h *dueHeap) Push(x any) {
	q := x.(*query)
	q.index = len(*h)
	*h = append(*h, q)
}

// Pop is for container/heap.
func (h *dueHeap) Pop() any {
	old := *h
	q := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	q.index = -1
	return q
}

func (h *dueHeap) add(q *query) { heap.Push(h, q) }

// drop takes q out for good, wherever it is.
func (h *dueHeap) drop(q *query) {
	q.gone = true
	if q.index >= 0 {
		heap.Remove(h, q.index)
	}
}

// remove takes out q, which is in the heap.
func (h *dueHeap) remove(q *query) { heap.Remove(h, q.index) }

// next returns the earliest query if it is due.
func (h *dueHeap) next(now time.Time) *query {
	if len(*h) == 0 || (*h)[0].due.After(now) {
		return nil
	}
	return heap.Pop(h).(*query)
}
