// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/controllers/metrics"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

// indebted lets edits of the tenant wait for so long.
func (w *world) indebted(wait time.Duration) {
	w.r.pace.tenant(testNamespace, w.clock.Now()).edits.Take(rateOfEdits(), rateOfEdits().Burst+wait.Seconds()*rateOfEdits().PerSecond, w.clock.Now())
}

func (w *world) editPorts() {
	w.t.Helper()
	w.edit(func(s *v1alpha1.FQDNEgressPolicySpec) { s.Egress[0].Ports = []v1alpha1.EgressPort{{}} })
}

// However short the wait: what is written is not what this generation wants.
func TestReconcile_AnEditThatAwaitsItsTurnSaysSo(t *testing.T) {
	for wait, limit := range map[time.Duration]metrics.Limit{time.Second: "", time.Minute: metrics.BytesPerNamespace} {
		t.Run(wait.String(), func(t *testing.T) {
			w := newWorld(t, interceptor.Funcs{})
			w.reconcile()
			w.editPorts()
			w.indebted(wait)
			for range 2 { // the second look finds the first one's Result
				again := w.reconcile()
				if r := w.result(); again.RequeueAfter < wait || r.Generation != 2 || !r.AwaitsTurn || r.Limit != limit || r.AddressCount != 1 {
					t.Errorf("again in %s: %+v", again.RequeueAfter, r)
				}
			}
			w.clock.SetTime(testNow.Add(wait + time.Second))
			if w.reconcile(); w.result().AwaitsTurn || w.result().Generation != 2 {
				t.Errorf("and then: %+v", w.result())
			}
		})
	}
}

func TestReconcile_ANewPolicyThatAwaitsItsTurnSaysSo(t *testing.T) {
	w := newWorld(t, interceptor.Funcs{})
	w.indebted(time.Second)
	w.reconcile()
	if r := w.result(); !r.AwaitsTurn || r.Generation != 1 || w.object() != nil {
		t.Errorf("%+v", r)
	}
}

// An address that waits is no other generation: what is written was what it wanted.
func TestReconcile_AnswersThatAwaitTheirTurn(t *testing.T) {
	w := newWorld(t, interceptor.Funcs{})
	w.reconcile()
	of := &debts{}
	of.answers.Take(rateOfTarget(), 11, testNow)
	w.r.memories.of(testKey(), "u").pace.debts = of
	w.answer("192.0.2.1", "192.0.2.2")
	if again := w.reconcile(); again.RequeueAfter == 0 || w.result().AwaitsTurn {
		t.Errorf("again in %s: %+v", again.RequeueAfter, w.result())
	}
}

// A start: the status of the process before tells more than one that has looked at nothing could.
func TestReconcile_AStartThatAwaitsItsTurnSaysNothing(t *testing.T) {
	w := newWorld(t, interceptor.Funcs{})
	policy := w.policy()
	policy.Status.ObservedGeneration = policy.Generation
	if err := w.api.Status().Update(t.Context(), policy); err != nil {
		t.Fatal(err)
	}
	w.indebted(time.Second)
	if again := w.reconcile(); again.RequeueAfter == 0 || len(w.results.Of(testKey().Owner)) != 0 {
		t.Errorf("again in %s: %d results", again.RequeueAfter, len(w.results.Of(testKey().Owner)))
	}
}

// Whatever a tenant edits, what somebody else opened is closed at once.
func TestInvariant10_RepairsWaitForNoEdits(t *testing.T) {
	w := &pacing{t: t, now: testNow}
	var of targetPace
	w.writeAll(&of, "shop", causeEdit, 45<<10)
	w.p.settle(&of, "shop", cost{}, cost{}, w.now)
	if written := w.writeAll(&of, "shop", causeRepair, 45<<10); written < 3<<20 || written > 5<<20 {
		t.Errorf("%d bytes of repairs at once, want 4 MiB", written)
	}
}

// An exact name is never late for pools whose addresses go along with its own.
func TestInvariant10_PoolsThatGoAlongPayForTheirObjects(t *testing.T) {
	w := &pacing{t: t, now: testNow}
	var of targetPace
	for i := range 500 { // each 5 s an exact name moves, and four objects of pools have moved too
		w.now = w.now.Add(5 * time.Second)
		if in, limit := w.turn(&of, "shop", causeAnswers); in > 0 {
			t.Fatalf("move %d is %s late: %s", i, in, limit)
		}
		w.p.settle(&of, "shop", cost{1, 45 << 10}, cost{4, 180 << 10}, w.now)
	}
	if spent := w.p.process.Spent(rateOfProcess(), w.now); spent != 225<<10 {
		t.Errorf("the process has written %.0f bytes at last", spent)
	}
	if in, limit := w.turn(&of, "shop", causePools); in != 2*time.Second || limit != metrics.WriteBudget {
		t.Errorf("what went along made a debt: pools wait %s (%s)", in, limit)
	}
}

// pools adds a wildcard and a name with many addresses to the policy.
func (w *world) pools() {
	w.t.Helper()
	w.edit(func(s *v1alpha1.FQDNEgressPolicySpec) {
		s.Egress[0].To = append(s.Egress[0].To, v1alpha1.EgressPeer{FQDN: "pool.example.com"})
	})
	w.r.book.Want(testKey().Owner, wantsOf(w.policy()), w.clock.Now())
	w.pool(poolSize)
	w.reconcile()
}

// pool answers the name with many addresses with so many.
func (w *world) pool(addresses int) {
	var all []string
	for i := range addresses {
		all = append(all, fmt.Sprintf("198.51.%d.%d", 100+i/200, i%200))
	}
	w.answerFor("pool.example.com", all...)
}

func TestReconcile_WhoPaysForAnObject(t *testing.T) {
	w := newWorld(t, interceptor.Funcs{})
	w.pools()
	spent := func() (answers, pools float64) {
		of := w.r.memories.of(testKey(), "u").pace.debts
		if of == nil {
			return 0, 0
		}
		return of.answers.Spent(rateOfTarget(), testNow), of.pools.Spent(rateOfTarget(), testNow)
	}
	for _, step := range []struct {
		what           string
		change         func()
		answers, pools float64
	}{
		{"nothing since the edits", func() {}, 0, 0},
		{"the pool has another address", func() { w.pool(poolSize + 1) }, 0, 1},
		{"the exact name has", func() { w.answer("192.0.2.1", "192.0.2.2") }, 1, 1},
		{"both have, in one object", func() { w.answer("192.0.2.1", "192.0.2.3"); w.pool(poolSize + 2) }, 2, 1},
	} {
		step.change()
		w.reconcile()
		if answers, pools := spent(); answers != step.answers || pools != step.pools {
			t.Errorf("%s: %.0f of answers, %.0f of pools; want %.0f, %.0f", step.what, answers, pools, step.answers, step.pools)
		}
	}
}

// An object in which no exact name changed is the pools', whoever caused the write.
func TestChange_Spares(t *testing.T) {
	before, after := networkPolicy("198.51.100.1/32"), networkPolicy("198.51.100.2/32")
	c := changeOf(netpol.Update, &before, &after)
	for name, tc := range map[string]struct {
		exact []string
		want  bool
	}{
		"of another object": {[]string{"192.0.2.1"}, true},
		"that came":         {[]string{"198.51.100.2"}, false},
		"that went":         {[]string{"198.51.100.1"}, false},
		"there are none":    {[]string{}, true},
	} {
		exact := map[netip.Addr]bool{}
		for _, a := range given.Addrs(tc.exact...) {
			exact[a] = true
		}
		if got := c.spares(exact); got != tc.want {
			t.Errorf("exact addresses %s: %t", name, got)
		}
	}
	if c.spares(nil) {
		t.Error("where there are no pools it is theirs")
	}
}

// When time alone takes an address away, it matters whose.
func TestCauseOf_TimeThatPasses(t *testing.T) {
	over := testNow.Add(-netpol.Linger)
	entry := func(name string, until time.Time) addressbook.PatternState {
		return addressbook.PatternState{Pattern: given.Pattern(t, name), Addresses: []addressbook.Address{{Addr: given.Addrs("192.0.2.1")[0], Until: until}}}
	}
	for name, tc := range map[string]struct {
		exact, pool time.Time
		want        bool // it is the pools'
	}{
		"of a pool":               {time.Time{}, over, true},
		"of an exact name":        {over, time.Time{}, false},
		"of both":                 {over, over, false},
		"of none":                 {time.Time{}, time.Time{}, false},
		"of a pool, not yet":      {time.Time{}, over.Add(time.Second), false},
		"of a pool; exact before": {over.Add(-time.Second), over, true},
	} {
		l := looked{at: testNow.Add(-time.Second), revisions: make([]addressbook.Revision, 2)}
		entries := []addressbook.PatternState{entry("www.example.com", tc.exact), entry("*.example.com", tc.pool)}
		if got := l.onlyPoolsMoved(entries, testNow); got != tc.want {
			t.Errorf("an address %s is over: pools alone %t", name, got)
		}
	}
}
