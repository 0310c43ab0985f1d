// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package queue has the work queue of the controllers: tenants take turns.
package queue

import (
	"sync"

	"k8s.io/client-go/util/workqueue"

	"github.com/fqdn-egress/fqdn-egress/internal/turns"
)

// Queue is a work queue that decides whose turn it is: tenants take turns, and one has at most a quarter of the workers, so that
// one whose writes hang leaves the others theirs. Within a tenant keys go by class, the lowest first, and no class starves: see
// turns.Queue. It is safe for concurrent use.
//
// client-go's queue keeps its books: who waits, who is worked on and must be looked at again, and the metrics. All calls of it
// are made under mu, and its Get only when there is somebody to give.
//
//	8 workers, at most 2 of a tenant
//	a waits with 10,000 keys, b with one        2 of a and that of b are worked on
//	one of a is done                            the next of a
//	c comes, all workers are busy               the next that is done leaves its place to c
type Queue[K comparable] struct {
	mu      sync.Mutex
	changed sync.Cond // on mu: somebody may be given out, or the queue shuts down
	books   *workqueue.Typed[K]
	order   turns.Queue[K]
	class   int       // of the key that is being added
	given   *K        // to books, by Get
	working map[K]int // those that are worked on, and the class of another look after that; notAgain: there will be none

	tenantOf  func(K) string
	perTenant int
	tenants   map[string]inQueue
	ready     int // keys that wait for a worker, and not for others of their tenant to be done
	dry       func()
}

// inQueue counts the keys of one tenant.
type inQueue struct{ waiting, working int }

const (
	last     = turns.Classes - 1
	notAgain = turns.Classes
)

// New returns a Queue for so many workers. name is that of the controller, in metrics. dry is called, without a lock held, when
// what Waiting returns may have become false, for whichever tenants; it must not block.
func New[K comparable](name string, workers int, tenantOf func(K) string, dry func()) *Queue[K] {
	q := &Queue[K]{
		working: map[K]int{}, tenantOf: tenantOf, perTenant: max(workers/4, 1), tenants: map[string]inQueue{}, dry: dry,
	}
	q.changed.L = &q.mu
	q.books = workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[K]{Name: name, Queue: (*storage[K])(q)})
	return q
}

// WithDelays returns the Queue as a controller wants it.
func (q *Queue[K]) WithDelays(name string, limiter workqueue.TypedRateLimiter[K]) workqueue.TypedRateLimitingInterface[K] {
	delaying := workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[K]{Name: name, Queue: q})
	return workqueue.NewTypedRateLimitingQueueWithConfig(limiter,
		workqueue.TypedRateLimitingQueueConfig[K]{Name: name, DelayingQueue: delaying})
}

// Add adds a key in the last class: its time has come, or it is tried again.
func (q *Queue[K]) Add(k K) { q.AddAs(k, last) }

// AddAs adds a key. One that waits already keeps the lower class; one that is worked on is looked at again after
// that.
func (q *Queue[K]) AddAs(k K, class int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if again, working := q.working[k]; working {
		q.working[k] = min(again, class)
	}
	q.class = class
	q.books.Add(k)
	q.changed.Signal()
}

// Get returns the next key, when there is one; false, and true once the queue is shut down and empty.
func (q *Queue[K]) Get() (k K, shutdown bool) {
	q.mu.Lock()
	for {
		if k, tenant, ok := q.order.Pop(q.may); ok {
			dry := q.give(k, tenant)
			q.mu.Unlock()
			if dry {
				q.dry()
			}
			return k, false
		}
		if q.order.Len() == 0 && q.books.ShuttingDown() {
			q.mu.Unlock()
			return k, true
		}
		q.changed.Wait()
	}
}

// may tells whether a tenant may have one more worker.
func (q *Queue[K]) may(tenant string) bool { return q.tenants[tenant].working < q.perTenant }

// give hands a key to a worker, and tells whether nobody waits for one any more. This key did, so Waiting was true for all
// tenants; now it is true for those alone whose own keys wait.
func (q *Queue[K]) give(k K, tenant string) (dry bool) {
	q.count(tenant, -1, 1)
	q.working[k] = notAgain
	q.given = &k
	q.books.Get()
	q.given = nil
	if q.order.Len() == 0 && q.books.ShuttingDown() {
		q.changed.Broadcast()
	}
	return q.ready == 0
}

// Done ends the work on a key that Get returned.
func (q *Queue[K]) Done(k K) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.class = q.working[k]
	delete(q.working, k)
	tenant := q.tenantOf(k)
	q.count(tenant, 0, -1)
	q.order.Resume(tenant)
	q.books.Done(k)
	q.changed.Signal()
}

// Waiting tells whether keys of the tenant wait, or others only for a worker.
func (q *Queue[K]) Waiting(tenant string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.ready > 0 || q.tenants[tenant].waiting > 0
}

// count changes the counts of a tenant.
func (q *Queue[K]) count(tenant string, waiting, working int) {
	t := q.tenants[tenant]
	q.ready -= q.readyOf(t)
	t.waiting += waiting
	t.working += working
	q.ready += q.readyOf(t)
	if q.tenants[tenant] = t; t == (inQueue{}) {
		delete(q.tenants, tenant)
	}
}

// readyOf returns how many of a tenant's keys wait for a worker and nothing else.
func (q *Queue[K]) readyOf(t inQueue) int { return min(t.waiting, max(q.perTenant-t.working, 0)) }

// Len returns how many keys wait.
func (q *Queue[K]) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.order.Len()
}

// ShutDown lets the queue take no more keys; those that wait are given out yet.
func (q *Queue[K]) ShutDown() {
	q.books.ShutDown()
	q.wakeAll()
}

// ShutDownWithDrain is a ShutDown that returns when those that are worked on are done.
func (q *Queue[K]) ShutDownWithDrain() {
	defer q.wakeAll()
	q.books.ShutDownWithDrain()
}

func (q *Queue[K]) wakeAll() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.changed.Broadcast()
}

// ShuttingDown tells whether ShutDown was called.
func (q *Queue[K]) ShuttingDown() bool { return q.books.ShuttingDown() }

// storage is the Queue as client-go's keeper of the books sees it. Its methods are called under mu.
type storage[K comparable] Queue[K]

// Push takes a key that begins to wait.
func (s *storage[K]) Push(k K) {
	tenant := s.tenantOf(k)
	(*Queue[K])(s).count(tenant, 1, 0)
	s.order.Push(k, s.class, tenant)
}

// Touch takes one that waits already.
func (s *storage[K]) Touch(k K) { s.order.Push(k, s.class, s.tenantOf(k)) }

// Pop returns the key that Get decided on.
func (s *storage[K]) Pop() K { return *s.given }

// Len counts that one too.
func (s *storage[K]) Len() int {
	if s.given != nil {
		return s.order.Len() + 1
	}
	return s.order.Len()
}
