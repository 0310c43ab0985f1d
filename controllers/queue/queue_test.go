// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/util/workqueue"
)

type key struct {
	Tenant string
	I      int
}

func keyIn(tenant string, i int) key { return key{tenant, i} }

// The classes of these tests.
const (
	edited = iota
	awaited
	added
	changed
	later
)

func newTestQueue(workers int) *Queue[key] { return newTestQueueWith(workers, func() {}) }

func newTestQueueWith(workers int, dry func()) *Queue[key] {
	return New("", workers, func(k key) string { return k.Tenant }, dry)
}

// next takes one out, which must be there.
func next(t *testing.T, q *Queue[key]) key {
	t.Helper()
	if q.Len() == 0 {
		t.Fatal("nobody waits")
	}
	k, shutdown := q.Get()
	if shutdown {
		t.Fatal("shut down")
	}
	return k
}

func TestQueue_TenantsTakeTurns(t *testing.T) {
	q := newTestQueue(4)
	for i := range 10_000 {
		q.AddAs(keyIn("hungry", i), edited)
	}
	q.Add(keyIn("shop", 0))
	var got []string
	for range 3 {
		k := next(t, q)
		got = append(got, k.Tenant)
		q.Done(k)
	}
	if diff := cmp.Diff([]string{"hungry", "shop", "hungry"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestQueue_ClassesOfATenant(t *testing.T) {
	q := newTestQueue(4)
	for i, class := range []int{later, changed, added, awaited, edited} {
		q.AddAs(keyIn("shop", i), class)
	}
	q.AddAs(keyIn("shop", 0), awaited) // waits already, and is more pressing now
	q.AddAs(keyIn("shop", 3), later)   // and that one is not less pressing
	var got []key
	for range 5 {
		k := next(t, q)
		got = append(got, k)
		q.Done(k)
	}
	want := []key{keyIn("shop", 4), keyIn("shop", 3), keyIn("shop", 0), keyIn("shop", 2), keyIn("shop", 1)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Repairs and timers go on under a flood of edits.
func TestQueue_NoClassWaitsForLong(t *testing.T) {
	q := newTestQueue(4)
	q.Add(keyIn("shop", -1))
	for i := range 10 {
		q.AddAs(keyIn("shop", i), edited)
		k := next(t, q)
		q.Done(k)
		q.AddAs(keyIn("shop", 1000+i), edited)
		if k == keyIn("shop", -1) {
			if i > 4 {
				t.Errorf("turn %d", i)
			}
			return
		}
	}
	t.Error("ten turns, and it was never its own")
}

// A tenant whose writes hang has a quarter of the workers, and loses none of its targets.
func TestQueue_ASlowTenantTakesAQuarter(t *testing.T) {
	q := newTestQueue(8)
	for i := range 100 {
		q.Add(keyIn("slow", i))
	}
	a, b := next(t, q), next(t, q)
	q.Add(keyIn("shop", 0))
	if k := next(t, q); k.Tenant != "shop" {
		t.Errorf("a third worker went to %v", k)
	}
	if !q.Waiting("slow") || q.Waiting("shop") {
		t.Error("who waits for their own tenant hold up others, or are not said to wait")
	}
	q.Done(a)
	if !q.Waiting("shop") {
		t.Error("a worker is free for somebody, who is not said to wait")
	}
	if k := next(t, q); k.Tenant != "slow" || k == a || k == b {
		t.Errorf("then came %v", k)
	}
}

func TestQueue_OneWorkerATenantAtLeast(t *testing.T) {
	q := newTestQueue(1)
	q.Add(keyIn("shop", 0))
	next(t, q)
}

func TestQueue_WhatIsAddedWhileItIsWorkedOnComesAgainOnce(t *testing.T) {
	q := newTestQueue(8)
	q.Add(keyIn("shop", 0))
	k := next(t, q)
	q.Add(k)
	q.AddAs(k, edited)
	q.Add(keyIn("shop", 1))
	if got := next(t, q); got != keyIn("shop", 1) {
		t.Fatalf("%v is worked on twice at once", got)
	}
	q.Add(keyIn("shop", 2))
	q.Done(k)
	if got := next(t, q); got != k {
		t.Errorf("then comes %v; the class of what was added meanwhile is lost", got)
	}
	q.Done(k)
	if n := q.Len(); n != 1 {
		t.Errorf("%d wait, want the other one", n)
	}
}

func TestQueue_ShutDown(t *testing.T) {
	// The race detector of Go 1.26 fails on timers of a bubble on several processors (go.dev/issue/78156).
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, func(t *testing.T) {
		q := newTestQueue(4)
		for i := range 3 {
			q.Add(keyIn("shop", i))
		}
		first := next(t, q)
		var worked atomic.Int32
		var workers sync.WaitGroup
		for range 4 {
			workers.Go(func() {
				for {
					k, shutdown := q.Get()
					if shutdown {
						return
					}
					worked.Add(1)
					time.Sleep(time.Second)
					q.Done(k)
				}
			})
		}
		synctest.Wait() // all wait for the only place of the tenant
		q.ShutDown()
		q.Add(keyIn("shop", 9))
		if !q.ShuttingDown() {
			t.Error("it does not know that it was shut down")
		}
		q.Done(first)
		workers.Wait()
		if n := worked.Load(); n != 2 {
			t.Errorf("%d were worked on after the shutdown, want the 2 that waited", n)
		}
	})
}

func TestQueue_ShutDownWithDrainWaitsForThoseThatAreWorkedOn(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, func(t *testing.T) {
		q := newTestQueue(4)
		q.Add(keyIn("shop", 0))
		k := next(t, q)
		start := time.Now()
		go func() {
			time.Sleep(time.Minute)
			q.Done(k)
		}()
		q.ShutDownWithDrain()
		if waited := time.Since(start); waited != time.Minute {
			t.Errorf("it waited %s", waited)
		}
	})
}

// No target is lost and none is worked on by two, whatever the order of events.
func TestQueue_NothingIsLost(t *testing.T) {
	const tenants, targets, workers, adds = 5, 40, 8, 20_000
	q := newTestQueue(workers)
	limited := q.WithDelays("", workqueue.DefaultTypedControllerRateLimiter[key]())
	var busy [tenants][targets]atomic.Int32
	var pending [tenants][targets]atomic.Int64 // the last version that was added, and what was seen of it
	var seen [tenants][targets]atomic.Int64
	var working [tenants]atomic.Int32
	index := func(k key) (a, b int) {
		a, err := strconv.Atoi(k.Tenant)
		if err != nil {
			t.Error(err)
		}
		return a, k.I
	}
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for {
				k, shutdown := limited.Get()
				if shutdown {
					return
				}
				a, b := index(k)
				if busy[a][b].Add(1) != 1 {
					t.Errorf("%v is worked on by two", k)
				}
				if n := working[a].Add(1); n > workers/4 {
					t.Errorf("tenant %d has %d workers", a, n)
				}
				seen[a][b].Store(pending[a][b].Load())
				runtime.Gosched()
				working[a].Add(-1)
				busy[a][b].Add(-1)
				limited.Done(k)
			}
		})
	}
	var producers sync.WaitGroup
	for p := range 4 {
		producers.Go(func() {
			for i := range adds / 4 {
				a, b := (i*7+p)%tenants, (i*13+p)%targets
				pending[a][b].Add(1)
				q.AddAs(keyIn(fmt.Sprint(a), b), i%5)
			}
		})
	}
	producers.Wait()
	limited.ShutDown()
	group.Wait()
	for a := range tenants {
		for b := range targets {
			if got, want := seen[a][b].Load(), pending[a][b].Load(); got != want {
				t.Errorf("target %d of tenant %d: version %d was seen, %d was added", b, a, got, want)
			}
		}
	}
}
