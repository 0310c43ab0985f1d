// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/controllers/metrics"
)

// indebted lets edits of the tenant wait for so long.
func (w *world) indebted(wait time.Duration) {
	w.r.pace.tenant(testNamespace, w.clock.Now()).edits.Take(rateOfEdits(), (24<<20)+wait.Seconds()*(256<<10), w.clock.Now())
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
	w.r.memories.of(testKey(), "u").pace.answers.Take(rateOfTarget(), 11, testNow)
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
