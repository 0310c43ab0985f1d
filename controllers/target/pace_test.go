// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"fmt"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/fqdn-egress/fqdn-egress/controllers/metrics"
)

// pacing writes for targets as long as they have the turn.
type pacing struct {
	t   *testing.T
	p   pace
	now time.Time
}

// turn returns in how long the target may write.
func (w *pacing) turn(of *targetPace, tenant string, c cause) (time.Duration, metrics.Limit) {
	u, _ := w.p.reserve(of, tenant, c, w.now)
	return max(u.at.Sub(w.now), 0), u.limit
}

// write writes so many bytes, and tells whether it had to wait.
func (w *pacing) write(of *targetPace, tenant string, c cause, bytes int) (waited time.Duration) {
	w.t.Helper()
	in, _ := w.turn(of, tenant, c)
	if in == 0 {
		w.p.settle(of, tenant, cost{1, float64(bytes)}, cost{}, w.now)
	}
	return in
}

// writeAll writes until it has to wait.
func (w *pacing) writeAll(of *targetPace, tenant string, c cause, bytes int) (written int) {
	w.t.Helper()
	for w.write(of, tenant, c, bytes) == 0 {
		written += bytes
	}
	return written
}

func TestInvariant10_AddressWritesPassATokenBucket(t *testing.T) {
	w := &pacing{t: t, now: testNow}
	var of targetPace
	for i := range 10 {
		if in := w.write(&of, "shop", causeAnswers, 2000); in != 0 {
			t.Fatalf("write %d has to wait for %s", i, in)
		}
	}
	if in, limit := w.turn(&of, "shop", causeAnswers); in != 2*time.Second || limit != metrics.WriteBudget {
		t.Errorf("after the burst: in %s (%s), want 2 s", in, limit)
	}
	w.now = w.now.Add(2 * time.Second)
	if in := w.write(&of, "shop", causeAnswers, 2000); in != 0 {
		t.Errorf("two seconds later it still has to wait for %s", in)
	}
	if in, _ := w.turn(&of, "shop", causeAnswers); in != 2*time.Second {
		t.Errorf("and the next one: in %s, want 2 s", in)
	}
}

func TestInvariant10_WhatIsNotWrittenIsGivenBack(t *testing.T) {
	w := &pacing{t: t, now: testNow}
	var of targetPace
	for i := range 100 {
		if in, _ := w.turn(&of, "shop", causeAnswers); in != 0 {
			t.Fatalf("look %d has to wait for %s", i, in)
		}
		w.p.settle(&of, "shop", cost{}, cost{}, w.now)
	}
}

func TestSpecEditsAndRepairsPassAnEmptyBucket(t *testing.T) {
	w := &pacing{t: t, now: testNow}
	var of, other targetPace
	w.writeAll(&of, "shop", causeAnswers, 40<<10)
	w.writeAll(&other, "shop", causeAnswers, 2<<20) // the tenant has nothing left
	for _, c := range []cause{causeEdit, causeRepair} {
		if in := w.write(&of, "shop", c, 40<<10); in != 0 {
			t.Errorf("cause %d waits for %s", c, in)
		}
	}
	if in, _ := w.turn(&of, "shop", causeAnswers); in == 0 {
		t.Error("an edit makes address writes free")
	}
}

func TestInvariant10_EditingIsNoWayAroundThePace(t *testing.T) {
	w := &pacing{t: t, now: testNow}
	var of targetPace
	written := w.writeAll(&of, "shop", causeEdit, 45<<10)
	if written < 20<<20 || written > 26<<20 {
		t.Errorf("%d bytes of edits at once", written)
	}
	if in, limit := w.turn(&of, "shop", causeEdit); in == 0 || limit != metrics.BytesPerNamespace {
		t.Errorf("it waits for %s, for %s", in, limit)
	}
	if in := w.write(&targetPace{}, "other", causeEdit, 45<<10); in != 0 {
		t.Errorf("another tenant waits for %s", in)
	}
}

// A tenant's pools never make its exact names late, nor anything of another tenant.
func TestInvariant10_PoolsHaveBucketsOfTheirOwn(t *testing.T) {
	w := &pacing{t: t, now: testNow}
	written := 0
	targets := make([]targetPace, 20)
	for range 60 { // each second each of 20 policies has other addresses, in objects of 45 kB
		for i := range targets {
			if w.write(&targets[i], "shop", causePools, 45<<10) == 0 {
				written += 45 << 10
			}
		}
		w.now = w.now.Add(time.Second)
	}
	if rate := written / 60; rate > 256<<10 {
		t.Errorf("%d bytes a second", rate)
	}
	if in, limit := w.turn(&targets[0], "shop", causePools); in == 0 || limit != metrics.PoolBytesPerNamespace {
		t.Errorf("a pool waits for %s, for %s", in, limit)
	}
	if in, _ := w.turn(&targets[0], "shop", causeAnswers); in != 0 {
		t.Errorf("an exact name waits for %s", in)
	}
	if in := w.write(&targetPace{}, "other", causePools, 45<<10); in != 0 {
		t.Errorf("another tenant waits for %s", in)
	}
}

func TestInvariant10_BytesOfATenantAreBounded(t *testing.T) {
	w := &pacing{t: t, now: testNow}
	targets := make([]targetPace, 200)
	written := 0
	for range 300 {
		for i := range targets {
			if w.write(&targets[i], "shop", causeAnswers, 22<<10) == 0 {
				written += 22 << 10
			}
		}
		w.now = w.now.Add(time.Second)
	}
	if most := 16<<20 + 300*(256<<10) + 1<<20; written > most || written < most*9/10 {
		t.Errorf("%d bytes in five minutes, want %d", written, most)
	}
}

// Those who wait come in the order in which they began to, each once.
func TestTurnsOfATenantInDebt(t *testing.T) {
	w := &pacing{t: t, now: testNow}
	w.write(&targetPace{}, "shop", causeAnswers, 16<<20)
	targets := make([]targetPace, 5)
	for i := range targets {
		targets[i].bytes = 256 << 10
		want := time.Duration(i+1) * time.Second
		for range 3 { // asking again costs nothing
			if in, limit := w.turn(&targets[i], "shop", causeAnswers); in != want || limit != metrics.BytesPerNamespace {
				t.Errorf("target %d: in %s (%s), want %s", i, in, limit, want)
			}
		}
	}
	w.now = w.now.Add(3 * time.Second)
	for i := range targets {
		in, _ := w.turn(&targets[i], "shop", causeAnswers)
		if (in == 0) != (i < 3) {
			t.Errorf("after three seconds target %d waits for %s", i, in)
		}
	}
}

func TestABetterCauseGivesTheTurnBack(t *testing.T) {
	w := &pacing{t: t, now: testNow}
	w.write(&targetPace{}, "shop", causePools, 2<<20)
	of := targetPace{bytes: 100 << 10}
	if in, _ := w.turn(&of, "shop", causePools); in == 0 {
		t.Fatal("a pool does not wait")
	}
	if in, _ := w.turn(&of, "shop", causeAnswers); in != 0 {
		t.Errorf("an exact name waits for %s", in)
	}
	if in, _ := w.turn(&of, "shop", causePools); in != 0 {
		t.Errorf("what may write already waits for %s", in)
	}
	w.p.settle(&of, "shop", cost{1, 100 << 10}, cost{}, w.now)
	other := targetPace{bytes: 1}
	if in, _ := w.turn(&other, "shop", causePools); in > 8*time.Second+time.Millisecond { // the debt of the first one
		t.Errorf("what was given back is owed still: %s", in)
	}
}

// The breaker holds up those who use most of it.
func TestInvariant10_TheBreakerOfTheProcess(t *testing.T) {
	w := &pacing{t: t, now: testNow}
	for i := range 6 {
		w.write(&targetPace{}, fmt.Sprint("big-", i), causeAnswers, 12<<20)
	}
	if in, limit := w.turn(&targetPace{bytes: 1 << 20}, "big-0", causeAnswers); in == 0 || limit != metrics.BytesOfProcess {
		t.Errorf("a tenant that wrote much waits for %s, for %s", in, limit)
	}
	small := targetPace{bytes: 1 << 20}
	if in, _ := w.turn(&small, "small", causeAnswers); in != 0 {
		t.Errorf("one that wrote nothing waits for %s", in)
	}
	if in, _ := w.turn(&targetPace{}, "big-0", causeEdit); in != 0 {
		t.Errorf("an edit of one that wrote much waits for %s", in)
	}
}

// Ten thousand policies of 2 kB in a hundred namespaces are written without a wait, and so is a name that all of them list.
func TestManyPoliciesAtOnceDoNotWait(t *testing.T) {
	w := &pacing{t: t, now: testNow}
	targets := make([]targetPace, 10_000)
	for _, c := range []cause{causeEdit, causeAnswers} {
		for i := range targets {
			if in := w.write(&targets[i], fmt.Sprint("ns-", i%100), c, 2000); in != 0 {
				t.Fatalf("cause %d, policy %d waits for %s", c, i, in)
			}
		}
		w.now = w.now.Add(30 * time.Second)
	}
}

func TestTheStatusTellsOfALongWaitOnly(t *testing.T) {
	w := &pacing{t: t, now: testNow}
	w.write(&targetPace{}, "shop", causeAnswers, 16<<20)
	short, long := targetPace{bytes: 256 << 10}, targetPace{bytes: 11 * 256 << 10}
	w.turn(&short, "shop", causeAnswers)
	w.turn(&long, "shop", causeAnswers)
	if limit, _ := short.limitedBy(w.now); limit != "" {
		t.Errorf("a wait of a second is told: %s", limit)
	}
	limit, end := long.limitedBy(w.now)
	if limit != metrics.BytesPerNamespace || !end.Equal(testNow.Add(12*time.Second+toldFor)) {
		t.Errorf("a wait of twelve seconds: %q until %s", limit, end)
	}
	if limit, _ := long.limitedBy(end); limit != "" {
		t.Errorf("and it never ends: %s", limit)
	}
}

func TestTenantsThatOweNothingAreForgotten(t *testing.T) {
	w := &pacing{t: t, now: testNow}
	for i := range 1000 {
		w.write(&targetPace{}, fmt.Sprint("ns-", i), causeAnswers, 2000)
	}
	w.now = w.now.Add(sweep)
	w.write(&targetPace{}, "shop", causeAnswers, 2000)
	if n := len(w.p.tenants); n != 1 {
		t.Errorf("%d tenants are remembered", n)
	}
}

// A policy that is deleted while it waits gives its turn back.
func TestReconcile_WhatIsGoneOwesNothing(t *testing.T) {
	w := newWorld(t, interceptor.Funcs{})
	w.reconcile()
	w.r.pace.reserve(&targetPace{}, testNamespace, causeAnswers, testNow)
	m := w.r.memories.of(testKey(), "u")
	m.pace.exactBytes = 20 << 20
	w.answer("192.0.2.1", "192.0.2.2")
	w.r.pace.tenants[testNamespace].answers.Take(rateOfTenant(), 1<<20, testNow)
	if again := w.reconcile().RequeueAfter; again == 0 {
		t.Fatal("it does not wait")
	}
	if err := w.api.Delete(t.Context(), w.policy()); err != nil {
		t.Fatal(err)
	}
	w.reconcile()
	if spent := w.r.pace.tenants[testNamespace].answers.Spent(rateOfTenant(), testNow); spent > 2<<20 {
		t.Errorf("%.0f bytes are owed for a policy that is gone", spent)
	}
}

// Most targets rest most of the time, and then take no memory for what they owe.
func TestATargetThatOwesNothingHasNoDebts(t *testing.T) {
	w := &pacing{t: t, now: testNow}
	var of targetPace
	w.write(&of, "shop", causeEdit, 2000)
	if of.debts != nil || of.bytes != 2000 {
		t.Errorf("after an edit: %+v, %.0f bytes", of.debts, of.bytes)
	}
	w.write(&of, "shop", causeAnswers, 2000)
	if of.debts == nil {
		t.Error("a write of answers is owed for two seconds")
	}
	w.now = w.now.Add(2 * time.Second)
	w.write(&of, "shop", causeEdit, 2000)
	if of.debts != nil {
		t.Errorf("two seconds later: %+v", of.debts)
	}
	w.p.settle(&of, "shop", cost{1, 2000}, cost{}, w.now) // no turn, nothing to settle
}
