// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// writer takes over what a Snapshot allows, as the controllers do.
func (w *world) applies(o Owner) { w.Applied(o, w.Snapshot(o, w.now).Revision) }

// awaits tells whether an Await would return at once.
func (w *world) held(t Ticket) bool {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return w.Await(ctx, t) != nil
}

func TestTicket_NamesWhoLacksWhatCame(t *testing.T) {
	w := newWorld(t, Options{})
	other := Owner{Namespace: "apps", Name: "other"}
	w.wants(other, nil, wild)
	first := w.overhears(time.Minute, "192.0.2.1")
	if first.Owners() != 2 || !w.held(first) {
		t.Errorf("the first ticket has %d owners, held %t", first.Owners(), w.held(first))
	}
	w.applies(web)
	if !w.held(first) {
		t.Error("one of two has applied it")
	}
	if again := w.overhears(time.Minute, "192.0.2.1"); again.Owners() != 1 { // a second pod is told
		t.Errorf("the second ticket has %d owners", again.Owners())
	}
	w.applies(other)
	if w.held(first) {
		t.Error("both have applied it")
	}
	if known := w.overhears(time.Minute, "192.0.2.1"); known.Owners() != 0 || w.held(known) {
		t.Errorf("what is in force has %d owners", known.Owners())
	}
	if w.held(Ticket{}) {
		t.Error("the zero Ticket is held")
	}
}

// A name that an asked source made known is held too until it is written.
func TestTicket_OfWhatAskedAnswersBrought(t *testing.T) {
	w := newWorld(t, Options{})
	w.answer(upstream, time.Minute, "192.0.2.1")
	var urgent []Urgency
	w.OnChange(func(_ Owner, u Urgency) { urgent = append(urgent, u) })
	for range 3 {
		if got := w.overhears(time.Minute, "192.0.2.1").Owners(); got != 1 {
			t.Errorf("%d owners", got)
		}
	}
	if !slices.Equal(urgent, []Urgency{Awaited}) {
		t.Errorf("woken %v: once, when the first ticket named it", urgent)
	}
	w.applies(web)
	late := Owner{Namespace: "apps", Name: "late"} // lists what is known, and has written nothing yet
	w.wants(late, nil, www)
	if got := w.overhears(time.Minute, "192.0.2.1"); got.Owners() != 1 {
		t.Errorf("%d owners", got.Owners())
	}
	w.Want(late, Wants{}, w.now)
	if got := w.overhears(time.Minute, "192.0.2.1"); got.Owners() != 0 {
		t.Errorf("%d owners after it dropped the name", got.Owners())
	}
}

func TestTicket_UnhealthyOwnersHoldNothing(t *testing.T) {
	w := newWorld(t, Options{})
	ticket := w.overhears(time.Minute, "192.0.2.1")
	w.SetHealthy(web, false)
	if w.held(ticket) {
		t.Error("an owner that became unhealthy is waited for")
	}
	if got := w.overhears(time.Minute, "192.0.2.2").Owners(); got != 0 {
		t.Errorf("%d unhealthy owners in a ticket", got)
	}
	w.SetHealthy(web, true)
	if got := w.overhears(time.Minute, "192.0.2.2"); got.Owners() != 1 || !w.held(got) {
		t.Errorf("%d owners that became healthy again in a ticket", got.Owners())
	}
}

func TestAwait(t *testing.T) {
	for name, tt := range map[string]struct {
		do   func(w *world)
		want error
	}{
		"applied":           {func(w *world) { w.applies(web) }, nil},
		"an early revision": {func(w *world) { w.Applied(web, 1) }, context.DeadlineExceeded},
		"unhealthy":         {func(w *world) { w.SetHealthy(web, false) }, nil},
		"forgotten":         {func(w *world) { w.Forget(web) }, nil},
		"nothing":           {func(*world) {}, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, Options{})
				ticket := w.overhears(time.Minute, "192.0.2.1")
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
				began, done := time.Now(), make(chan error, 1)
				go func() { done <- w.Await(ctx, ticket) }()
				time.Sleep(100 * time.Millisecond)
				tt.do(w)
				err := <-done
				if !errors.Is(err, tt.want) {
					t.Errorf("%v, want %v", err, tt.want)
				}
				if took := time.Since(began); tt.want == nil && took != 100*time.Millisecond {
					t.Errorf("it took %v", took)
				}
				if o := w.ownerNamed(web); o != nil && len(o.acks.waiters) > 0 {
					t.Errorf("%d waiters are left", len(o.acks.waiters))
				}
			})
		})
	}
}

// TestSnapshot_HasWhatItsRevisionSays: a producer brings addresses, one each time, while a writer applies; whatever it applied is
// no longer in a ticket, and no ticket is applied whose address the Snapshot lacks. For the race detector, too.
func TestSnapshot_HasWhatItsRevisionSays(t *testing.T) {
	w := newWorld(t, Options{})
	wake := make(chan struct{}, 1)
	w.OnChange(func(Owner, Urgency) {
		select {
		case wake <- struct{}{}:
		default:
		}
	})
	var mu sync.Mutex
	written := map[string]bool{} // what the live object allows
	ctx, stop := context.WithCancel(t.Context())
	var writer sync.WaitGroup
	writer.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-wake:
			}
			s := w.Snapshot(web, w.now)
			mu.Lock()
			for _, a := range s.Patterns[0].Addresses {
				written[a.Addr.String()] = true
			}
			mu.Unlock()
			w.Applied(web, s.Revision)
		}
	})
	for i := range 500 {
		addr := fmt.Sprintf("192.0.%d.%d", i/250, i%250)
		if err := w.Await(t.Context(), w.overhears(time.Minute, addr)); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		if !written[addr] {
			t.Fatalf("%s was let go before it was written", addr)
		}
		mu.Unlock()
	}
	stop()
	writer.Wait()
}

// What a writer applies late of an owner that is gone says nothing of the one that came back.
func TestApplied_OfAnOwnerThatWentAndCameBack(t *testing.T) {
	w := newWorld(t, Options{})
	for i := range 20 {
		w.overhears(time.Minute, fmt.Sprintf("192.0.2.%d", i))
	}
	late := w.Snapshot(web, w.now).Revision
	w.Forget(web)
	w.wants(web, nil, www)
	ticket := w.overhears(time.Minute, "192.0.2.1")
	w.Applied(web, late)
	if ticket.Owners() != 1 || !w.held(ticket) {
		t.Errorf("%d owners, held %t", ticket.Owners(), w.held(ticket))
	}
	w.applies(web)
	if w.held(ticket) {
		t.Error("it is held although it was applied")
	}
}
