// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// acks is what an owner's writer said.
type acks struct {
	mu        sync.Mutex
	applied   Revision
	unhealthy bool
	forgotten bool
	// gained are the wants whose names gained addresses that are not applied yet.
	gained  []*want
	waiters []awaiting
}

// awaiting is an Await that waits for an owner.
type awaiting struct {
	revision Revision
	waiter   *waiter
}

// waiter is one Await.
type waiter struct {
	left atomic.Int64 // owners that it waits for, and one more until it knows all of them
	done chan struct{}
}

func (w *waiter) less() {
	if w.left.Add(-1) == 0 {
		close(w.done)
	}
}

// Applied takes note that everything that o's Snapshot of revision r allows is in force: every object that carries it was
// written, or nothing is to be written. An earlier revision than the last one changes nothing.
func (b *Book) Applied(o Owner, r Revision) {
	if w := b.ownerNamed(o); w != nil {
		w.acks.applies(r)
	}
}

func (a *acks) applies(r Revision) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.applied = max(a.applied, r)
	a.gained = slices.DeleteFunc(a.gained, func(x *want) bool {
		over := x.gained <= a.applied
		if over {
			a.lacks(x, -1)
		}
		return over
	})
	if len(a.gained) == 0 && cap(a.gained) > keptGained {
		a.gained = nil // at the start there is one for each pattern, later one at a time
	}
	a.release()
}

// keptGained is for how many wants space is kept.
const keptGained = 4

// SetHealthy takes note of whether o's writer can write at all. Await does not wait for an owner that is not healthy. An
// owner is healthy until the contrary is said; it must be known, so say it after its Want.
func (b *Book) SetHealthy(o Owner, healthy bool) {
	if w := b.ownerNamed(o); w != nil {
		w.acks.setHealthy(healthy)
	}
}

func (a *acks) setHealthy(healthy bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.unhealthy == !healthy {
		return
	}
	for _, x := range a.gained {
		a.lacks(x, -1)
	}
	a.unhealthy = !healthy
	for _, x := range a.gained {
		a.lacks(x, 1)
	}
	a.release()
}

// lacks counts an owner of x's name more, or less, that lacks something of it. An unhealthy one does not count.
func (a *acks) lacks(x *want, by int32) {
	if !a.unhealthy {
		x.name().lacking.Add(by)
	}
}

// release lets go who waits for nothing any more.
func (a *acks) release() {
	a.waiters = slices.DeleteFunc(a.waiters, func(w awaiting) bool {
		over := a.over(w.revision)
		if over {
			w.waiter.less()
		}
		return over
	})
}

// over tells whether there is nothing to wait for.
func (a *acks) over(r Revision) bool { return a.forgotten || a.unhealthy || a.applied >= r }

// forget lets go all who wait for an owner that is no more.
func (a *acks) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forgotten = true
	a.release()
}

// gains takes note that x's name gained addresses, and that the owner's Snapshot has them from revision r on. named: a Ticket was
// given for them. It tells whether that revision is not applied yet.
func (x *want) gains(r Revision, named bool) (lacks bool) {
	a := &x.owner.acks
	a.mu.Lock()
	defer a.mu.Unlock()
	if x.left || r <= a.applied {
		return false
	}
	if x.gained <= a.applied {
		a.gained = append(a.gained, x)
		a.lacks(x, 1)
	}
	if r > x.gained {
		x.gained, x.awaited = r, false
	}
	lacks = !a.unhealthy && !a.forgotten
	x.awaited = x.awaited || named && lacks
	return lacks
}

// leaves takes note that the owner does not list x any more.
func (x *want) leaves() {
	a := &x.owner.acks
	a.mu.Lock()
	defer a.mu.Unlock()
	x.left = true
	if i := slices.Index(a.gained, x); i >= 0 {
		a.gained = slices.Delete(a.gained, i, i+1)
		a.lacks(x, -1)
	}
}

// due is the revision with which x's owner has all that its name gained, if it lacks that. first: no Ticket has named it yet.
func (x *want) due() (r Revision, first, lacks bool) {
	a := &x.owner.acks
	a.mu.Lock()
	defer a.mu.Unlock()
	if x.left || a.over(x.gained) {
		return 0, false, false
	}
	first = !x.awaited
	x.awaited = true
	return x.gained, first, true
}

// Await returns nil once every healthy owner of the ticket has applied its revision, and ctx's error if that ends first. An
// owner that is forgotten, or becomes unhealthy, is not waited for. It starts no goroutine, and leaves nothing behind.
func (b *Book) Await(ctx context.Context, t Ticket) error {
	w := &waiter{done: make(chan struct{})}
	w.left.Store(int64(len(t.lacking)) + 1)
	for _, d := range t.lacking {
		d.owner.acks.await(d.revision, w)
	}
	w.less()
	select {
	case <-w.done:
		return nil
	default:
	}
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		for _, d := range t.lacking {
			d.owner.acks.giveUp(w)
		}
		return ctx.Err()
	}
}

// await counts w down when r is applied, at once if it is.
func (a *acks) await(r Revision, w *waiter) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over(r) {
		w.less()
		return
	}
	a.waiters = append(a.waiters, awaiting{revision: r, waiter: w})
}

func (a *acks) giveUp(w *waiter) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiters = slices.DeleteFunc(a.waiters, func(x awaiting) bool { return x.waiter == w })
}
