// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"testing"
	"time"

	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
	"github.com/fqdn-egress/fqdn-egress/test/tenants"
)

// The tenants here ask for a tenth of what the benchmark's do, from an upstream that is asked a tenth as often: the same
// shortage for less of the machine.
const scarce = "100" // questions a second

// What promise 10 says of a tenant beside one that asks for more than there is.
const (
	followedLater = time.Second // than twice as long as on a quiet machine
	completeIn    = 2500 * time.Millisecond
)

// beside is a quiet tenant, a noisy one, and how long the quiet one waited before the other came.
type beside struct {
	*world
	process   *process
	neighbour *tenants.Neighbour
	quiet     tenants.Waits
}

const looks = 3

func newBeside(t *testing.T) *beside {
	t.Helper()
	b := &beside{world: newWorldAlone(t, dnstest.CacheLike())}
	b.process = b.start("--max-qps", scarce)
	var err error
	if b.neighbour, err = tenants.NewNeighbour(t.Context(), b.client, b.dns, patience); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.neighbour.Stop(); err != nil {
			t.Error(err)
		}
	})
	b.quiet = b.look()
	return b
}

func (b *beside) look() tenants.Waits {
	b.t.Helper()
	waits, err := b.neighbour.Look(b.t.Context(), looks, longPatience)
	if err != nil {
		b.t.Fatal(err)
	}
	return waits
}

// starts lets the noisy tenant begin.
func (b *beside) starts(n tenants.Noisy) {
	b.t.Helper()
	noise, err := n.Start(b.t.Context(), b.client, b.dns)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		if err := noise.Stop(); err != nil {
			b.t.Error(err)
		}
	})
}

// keepsPromise10 looks beside the noisy tenant, from the moment on at which it came. Of the moves the middle one counts: a machine
// that does something else for a second is no tenant. Of the new policies the longest wait counts, which is that of the first.
func (b *beside) keepsPromise10() {
	b.t.Helper()
	waits := b.look()
	b.t.Logf("quiet: followed after %v, complete after %v", b.quiet.Followed, b.quiet.Completed)
	b.t.Logf("beside it: followed after %v, complete after %v", waits.Followed, waits.Completed)
	if got, want := waits.Followed[looks/2], followedLater+2*b.quiet.Followed[looks/2]; got > want {
		b.t.Errorf("the moved address was followed after %s, not within 1 s + 1 x its quiet lag: %s", got, want)
	}
	if got := waits.Completed[looks-1]; got > completeIn {
		b.t.Errorf("the new policy was complete after %s, not within %s", got, completeIn)
	}
}

func TestInvariant10_HungryTenant(t *testing.T) {
	b := newBeside(t)
	b.starts(tenants.Hungry(5, 100))
	b.waitForQueries(1000, "")
	b.keepsPromise10()
}

func TestInvariant10_TenantWithABlackHole(t *testing.T) {
	b := newBeside(t)
	b.starts(tenants.BlackHole(5, 80))
	b.keepsPromise10()
}

func TestInvariant10_TenantWithEverNewAddresses(t *testing.T) {
	b := newBeside(t)
	before := b.written()
	began := time.Now()
	b.starts(tenants.EverNew(20, 4, 300))
	b.keepsPromise10()
	if rate := (b.written() - before) / time.Since(began).Seconds(); rate > 1<<20 {
		t.Errorf("%.0f bytes a second were written for it, more than %d", rate, 1<<20)
	} else {
		t.Logf("%.0f bytes a second", rate)
	}
}

func TestInvariant10_TenantThatReplacesItsNames(t *testing.T) {
	b := newBeside(t)
	quiet, err := b.neighbour.Healed(t.Context(), 2*time.Second, longPatience)
	if err != nil {
		t.Fatal(err)
	}
	b.starts(tenants.Churn(200, 2*time.Second))
	b.keepsPromise10()
	healed, err := b.neighbour.Healed(t.Context(), 2*time.Second, longPatience)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("a name that failed was allowed %s after it was well again, on a quiet machine %s", healed, quiet)
	if want := maxBackoff + followedLater; healed > want {
		t.Errorf("a name that failed was allowed %s after it was well again, not within %s", healed, want)
	}
}

// maxBackoff is the longest pause between two questions of a name that has failed for less than five minutes.
const maxBackoff = 5 * time.Second

func TestInvariant10_TenantWithDeadNames(t *testing.T) {
	b := newBeside(t)
	b.starts(tenants.Dead(10, 50))
	b.keepsPromise10()
}

// written is how many bytes the API server has taken from the controller for NetworkPolicies and statuses.
func (w *world) written() float64 {
	w.t.Helper()
	bytes, err := tenants.BytesWritten(w.t.Context(), w.server)
	if err != nil {
		w.t.Fatal(err)
	}
	return bytes
}
