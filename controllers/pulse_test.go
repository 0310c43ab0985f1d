// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

func TestPulseEndsAfterAStop(t *testing.T) {
	var none *Pulse
	p := &Pulse{}
	if !none.Steady(testNow) || !p.Steady(testNow) {
		t.Fatal("not steady without a Pulse, or before it started")
	}
	p.beat(testNow)
	if !p.Steady(testNow.Add(pulseLimit-1)) || p.Steady(testNow.Add(pulseLimit)) {
		t.Error("steady for another time than the limit after a beat")
	}
	if !p.beat(testNow.Add(pulseInterval)) {
		t.Error("a beat in time does not count")
	}
	late := testNow.Add(pulseInterval + pulseLimit)
	if p.beat(late) || p.Steady(late) {
		t.Error("a beat that comes too late counts")
	}
}

func TestPulseGoesOnWhileTheProcessDoes(t *testing.T) {
	// The race detector of Go 1.26 fails on timers of a bubble on several processors (go.dev/issue/78156).
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, func(t *testing.T) {
		p := &Pulse{Clock: clock.RealClock{}}
		ended := make(chan error, 1)
		go func() { ended <- p.Start(t.Context()) }()
		time.Sleep(time.Hour) // in fake time
		synctest.Wait()
		select {
		case err := <-ended:
			t.Error("ended", err)
		default:
		}
		if !p.Steady(time.Now()) {
			t.Error("not steady")
		}
	})
}

// Another leader wrote while the process was stopped. Whatever is read after the stop has the resourceVersion of that write,
// so the API server would let the old book undo it.
func TestReconcile_WritesNothingAfterAStop(t *testing.T) {
	another := func(w *reconciling) {
		np := w.object()
		np.Spec.PodSelector.MatchLabels = map[string]string{"app": "another"}
		if err := w.api.Update(w.t.Context(), np); err != nil {
			w.t.Fatal(err)
		}
	}
	status := func(w *reconciling) {
		policy := w.policy()
		policy.Status.AddressCount = 7
		if err := w.api.Status().Update(w.t.Context(), policy); err != nil {
			w.t.Fatal(err)
		}
	}
	for name, tc := range map[string]struct {
		stoppedFor time.Duration // when Reconcile is called
		wrote      func(w *reconciling)
		inGet      bool // the stop comes while a NetworkPolicy is read
		inCreate   bool // it comes while one is created that the cache does not have
		wantWrite  bool
	}{
		"no stop":                              {wrote: another, wantWrite: true},
		"a stop in which the lease cannot end": {stoppedFor: pulseLimit - 1, wrote: another, wantWrite: true},
		"before it is called":                  {stoppedFor: pulseLimit, wrote: another},
		"before it is called, of a status":     {stoppedFor: pulseLimit, wrote: status},
		"while it waits for the cache":         {wrote: another, inGet: true},
		"before it reads behind the cache":     {wrote: another, inCreate: true},
	} {
		t.Run(name, func(t *testing.T) {
			var w *reconciling
			armed := false
			stop := func() { w.clock.SetTime(testNow.Add(pulseLimit)) }
			w = reconcilingWith(t, interceptor.Funcs{
				Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
					_, ours := o.(*networkingv1.NetworkPolicy)
					switch {
					case armed && ours && tc.inGet:
						stop()
					case armed && ours && tc.inCreate:
						return apierrors.NewNotFound(schema.GroupResource{Resource: "networkpolicies"}, key.Name)
					}
					return c.Get(ctx, key, o, opts...)
				},
				Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
					if armed && tc.inCreate {
						stop()
					}
					return c.Create(ctx, o, opts...)
				},
			})
			w.pulse.beat(testNow)
			w.settled()
			tc.wrote(w)
			object, policy := w.object().ResourceVersion, w.policy().ResourceVersion

			w.clock.SetTime(testNow.Add(tc.stoppedFor))
			armed = true
			result, err := w.reconcile()
			if err != nil {
				t.Fatal(err)
			}
			wrote := w.object().ResourceVersion != object || w.policy().ResourceVersion != policy
			if wrote != tc.wantWrite {
				t.Errorf("wrote: %t, want %t", wrote, tc.wantWrite)
			}
			if !tc.wantWrite && result.RequeueAfter != pulseInterval {
				t.Errorf("looks again in %s, want %s, should the process live on", result.RequeueAfter, pulseInterval)
			}
		})
	}
}
