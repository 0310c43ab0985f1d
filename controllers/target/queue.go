// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"sync"

	"k8s.io/client-go/util/workqueue"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/turns"
)

// Class is how pressing a look at a target is, the most pressing first. They order the targets of one tenant only, and none
// starves: see turns.Queue.
type Class int

// The classes.
const (
	// Edited: the policy came, went or was edited, which may be a revocation.
	Edited Class = iota
	// Awaited: addresses came, and somebody holds back an answer until they are allowed.
	Awaited
	// Added: addresses came.
	Added
	// Changed: one of its NetworkPolicies did, which may need repair.
	Changed
	// Later: the time has come, addresses went, a write is tried again, or all targets are looked at.
	Later
)

// Queue is the work queue of targets. It decides whose turn it is; tenants take turns, and one has at most a quarter of the
// workers, so that one whose writes hang leaves the others theirs. It is safe for concurrent use.
//
// client-go's queue keeps its books: who waits, who is worked on and must be looked at again, and the metrics. All calls of it
// are made under mu, and its Get only when there is somebody to give.
//
//	8 workers, at most 2 of a tenant
//	a waits with 10,000 targets, b with one     2 of a and that of b are worked on
//	one of a is done                            the next of a
//	c comes, all workers are busy               the next that is done leaves its place to c
type Queue struct {
	mu      sync.Mutex
	changed sync.Cond // on mu: somebody may be given out, or the queue shuts down
	books   *workqueue.Typed[Key]
	order   turns.Queue[Key]
	class   Class         // of the target that is being added
	given   *Key          // to books, by Get
	working map[Key]Class // who is worked on, and how pressing another look after that is; notAgain: there will be none

	perTenant int
	tenants   map[string]inQueue
	ready     int // targets that wait for a worker, and not for others of their tenant to be done
	dry       func()
}

// inQueue counts the targets of one tenant.
type inQueue struct{ waiting, working int }

// notAgain comes after all classes.
const notAgain = Later + 1

// NewQueue returns a Queue for so many workers. name is that of the controller, in metrics. dry is called, without a lock held,
// when what Waiting returns for a tenant may have become false; it must not block.
func NewQueue(name string, workers int, dry func()) *Queue {
	q := &Queue{
		working: map[Key]Class{}, perTenant: max(workers/4, 1), tenants: map[string]inQueue{}, dry: dry,
	}
	q.changed.L = &q.mu
	q.books = workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[Key]{Name: name, Queue: (*storage)(q)})
	return q
}

// WithDelays returns the Queue as a controller wants it.
func (q *Queue) WithDelays(name string, limiter workqueue.TypedRateLimiter[Key]) workqueue.TypedRateLimitingInterface[Key] {
	delaying := workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[Key]{Name: name, Queue: q})
	return workqueue.NewTypedRateLimitingQueueWithConfig(limiter,
		workqueue.TypedRateLimitingQueueConfig[Key]{Name: name, DelayingQueue: delaying})
}

// Add adds a target whose time has come.
func (q *Queue) Add(k Key) { q.AddAs(k, Later) }

// AddAs adds a target. One that waits already keeps the more pressing class; one that is worked on is looked at again after
// that.
func (q *Queue) AddAs(k Key, c Class) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if again, working := q.working[k]; working {
		q.working[k] = min(again, c)
	}
	q.class = c
	q.books.Add(k)
	q.changed.Signal()
}

// Get returns the next target, when there is one; false, and true once the queue is shut down and empty.
func (q *Queue) Get() (k Key, shutdown bool) {
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
			return Key{}, true
		}
		q.changed.Wait()
	}
}

// may tells whether a tenant may have one more worker.
func (q *Queue) may(tenant string) bool { return q.tenants[tenant].working < q.perTenant }

// give hands a target to a worker, and tells whether that was the last of its tenant, and nobody waits for a worker.
func (q *Queue) give(k Key, tenant string) (dry bool) {
	q.count(tenant, -1, 1)
	q.working[k] = notAgain
	q.given = &k
	q.books.Get()
	q.given = nil
	if q.order.Len() == 0 && q.books.ShuttingDown() {
		q.changed.Broadcast()
	}
	return q.ready == 0 && q.tenants[tenant].waiting == 0
}

// Done ends the work on a target that Get returned.
func (q *Queue) Done(k Key) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.class = q.working[k]
	delete(q.working, k)
	q.count(k.tenant(), 0, -1)
	q.order.Resume(k.tenant())
	q.books.Done(k)
	q.changed.Signal()
}

// Waiting tells whether targets of the tenant wait to be looked at, or any others only for a worker.
func (q *Queue) Waiting(tenant addressbook.Tenant) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.ready > 0 || q.tenants[string(tenant)].waiting > 0
}

// count changes the counts of a tenant.
func (q *Queue) count(tenant string, waiting, working int) {
	t := q.tenants[tenant]
	q.ready -= q.readyOf(t)
	t.waiting += waiting
	t.working += working
	q.ready += q.readyOf(t)
	if q.tenants[tenant] = t; t == (inQueue{}) {
		delete(q.tenants, tenant)
	}
}

// readyOf returns how many of a tenant's targets wait for a worker and nothing else.
func (q *Queue) readyOf(t inQueue) int { return min(t.waiting, max(q.perTenant-t.working, 0)) }

// Len returns how many targets wait.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.order.Len()
}

// ShutDown lets the queue take no more targets; those that wait are given out yet.
func (q *Queue) ShutDown() {
	q.books.ShutDown()
	q.wakeAll()
}

// ShutDownWithDrain is a ShutDown that returns when those that are worked on are done.
func (q *Queue) ShutDownWithDrain() {
	defer q.wakeAll()
	q.books.ShutDownWithDrain()
}

func (q *Queue) wakeAll() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.changed.Broadcast()
}

// ShuttingDown tells whether ShutDown was called.
func (q *Queue) ShuttingDown() bool { return q.books.ShuttingDown() }

// storage is the Queue as client-go's keeper of the books sees it. Its methods are called under mu.
type storage Queue

// Push takes a target that begins to wait.
func (s *storage) Push(k Key) {
	q := (*Queue)(s)
	q.count(k.tenant(), 1, 0)
	q.order.Push(k, int(q.class), k.tenant())
}

// Touch takes one that waits already.
func (s *storage) Touch(k Key) { s.order.Push(k, int(s.class), k.tenant()) }

// Pop returns the target that Get decided on.
func (s *storage) Pop() Key { return *s.given }

// Len counts that one too.
func (s *storage) Len() int {
	if s.given != nil {
		return s.order.Len() + 1
	}
	return s.order.Len()
}
