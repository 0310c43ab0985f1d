// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

// What a status says of these is tested with Reconcile of both, in package controllers.

func (w *world) version() string {
	w.t.Helper()
	if np := w.object(); np != nil {
		return np.ResourceVersion
	}
	return ""
}

func TestReconcile_WritesOnceAndThenLooksNoFurther(t *testing.T) {
	w := newWorld(t, interceptor.Funcs{})
	woken := 0
	w.results.OnChange(func(addressbook.Owner) { woken++ })
	w.reconcile()
	version, result := w.version(), w.result()
	if version == "" || result.AddressCount != 1 || !slices.Equal(result.Objects, []string{testObject}) {
		t.Fatalf("it wrote %q: %+v", version, result)
	}
	w.clock.SetTime(testNow.Add(time.Second))
	w.answer("192.0.2.1") // the same again
	w.reconcile()
	if w.version() != version || w.result() != result || woken != 1 {
		t.Errorf("nothing changed, and it wrote (%s) or told it again (%d)", w.version(), woken)
	}
	w.answer("192.0.2.1", "192.0.2.2")
	w.reconcile()
	if w.version() == version || w.result().AddressCount != 2 {
		t.Errorf("an address came, and it did not write: %+v", w.result())
	}
}

// Each of these is a reason to decide anew.
func TestReconcile_LooksAgainAt(t *testing.T) {
	for name, change := range map[string]func(*world){
		"an edit": func(w *world) {
			w.edit(func(s *v1alpha1.FQDNEgressPolicySpec) { s.ClusterDNS = v1alpha1.ClusterDNSOmit })
		},
		"a NetworkPolicy that somebody changed": func(w *world) {
			np := w.object()
			np.Spec.Egress = nil
			if err := w.api.Update(w.t.Context(), np); err != nil {
				w.t.Fatal(err)
			}
		},
		"a NetworkPolicy that somebody deleted": func(w *world) {
			if err := w.api.Delete(w.t.Context(), w.object()); err != nil {
				w.t.Fatal(err)
			}
		},
		"the cluster's DNS": func(w *world) { w.r.options.ExtraDNS = given.Addrs("169.254.20.10") },
		"the guard": func(w *world) {
			w.r.guard = func(context.Context) (netpol.Guard, error) {
				return netpol.Guard{Cluster: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, nil
			}
		},
		"an address that came": func(w *world) { w.answer("192.0.2.1", "192.0.2.2") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, interceptor.Funcs{})
			w.reconcile()
			change(w)
			version := w.version()
			w.clock.SetTime(testNow.Add(time.Second))
			w.reconcile()
			if w.version() == version {
				t.Error("nothing was written")
			}
		})
	}
}

func TestReconcile_TellsTheBookHowFarItIs(t *testing.T) {
	w := newWorld(t, interceptor.Funcs{})
	w.reconcile()
	if len(w.book.applied) != 1 || w.book.unhealthy.Load() {
		t.Fatalf("after a write: applied %v, unhealthy %t", w.book.applied, w.book.unhealthy.Load())
	}
	w.answer("192.0.2.1", "192.0.2.2")
	w.reconcile()
	if len(w.book.applied) != 2 || w.book.applied[0] == w.book.applied[1] {
		t.Errorf("after another: applied %v", w.book.applied)
	}
	w.edit(func(s *v1alpha1.FQDNEgressPolicySpec) { s.Mode = v1alpha1.ModeAudit })
	w.reconcile()
	if !w.book.unhealthy.Load() {
		t.Error("somebody waits for a policy in mode Audit")
	}
	w.edit(func(s *v1alpha1.FQDNEgressPolicySpec) { s.Mode = v1alpha1.ModeEnforce })
	if w.reconcile(); w.book.unhealthy.Load() {
		t.Error("nobody waits for it after that")
	}
}

func TestReconcile_AWriteThatFails(t *testing.T) {
	quota := errors.New("exceeded quota")
	fail := true
	w := newWorld(t, interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if fail {
				return quota
			}
			return c.Create(ctx, o, opts...)
		},
	})
	if _, err := w.r.Reconcile(t.Context(), testKey()); !errors.Is(err, quota) {
		t.Fatalf("got %v", err)
	}
	if w.result().Error == "" || !w.book.unhealthy.Load() || len(w.book.applied) > 0 {
		t.Errorf("error %q, unhealthy %t, applied %v", w.result().Error, w.book.unhealthy.Load(), w.book.applied)
	}
	fail = false
	w.reconcile()
	if w.result().Error != "" || w.book.unhealthy.Load() || len(w.book.applied) != 1 {
		t.Errorf("after it: error %q, unhealthy %t, applied %v", w.result().Error, w.book.unhealthy.Load(), w.book.applied)
	}
}

// A webhook that hangs: nobody waits for this target after a second, though the write ends well at last.
func TestReconcile_AWriteThatHangs(t *testing.T) {
	hang := true
	var w *world
	w = newWorld(t, interceptor.Funcs{
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			if hang {
				w.clock.Step(slowWrite)
				select {
				case <-w.book.sickness: // the clock calls back from another goroutine
				case <-time.After(10 * time.Second):
					t.Error("a write that hangs does not make the target unhealthy")
				}
			}
			return c.Update(ctx, o, opts...)
		},
	})
	w.reconcile()
	w.answer("192.0.2.1", "192.0.2.2")
	w.reconcile()
	if !w.book.unhealthy.Load() || len(w.book.applied) != 2 {
		t.Errorf("after a slow write: unhealthy %t, applied %v", w.book.unhealthy.Load(), w.book.applied)
	}
	hang = false
	w.answer("192.0.2.1", "192.0.2.2", "192.0.2.3")
	if w.reconcile(); w.book.unhealthy.Load() {
		t.Error("still unhealthy after a write that was fast")
	}
}

// Pace is looked at before anything is compiled, and what was said before still holds.
func TestReconcile_WaitsForItsTurn(t *testing.T) {
	w := newWorld(t, interceptor.Funcs{})
	w.reconcile()
	for i := range 10 {
		w.answer("192.0.2.1", fmt.Sprintf("192.0.2.%d", 10+i))
		w.reconcile()
	}
	version := w.version()
	w.answer("192.0.2.1", "192.0.2.99")
	result := w.reconcile()
	if w.version() != version || result.RequeueAfter != 2*time.Second+time.Millisecond || !w.book.unhealthy.Load() {
		t.Errorf("the eleventh: wrote %t, again in %s, unhealthy %t", w.version() != version, result.RequeueAfter, w.book.unhealthy.Load())
	}
	if got := w.result(); got.AddressCount != 11 || got.Limit != "" {
		t.Errorf("it says %+v", got)
	}
	w.edit(func(s *v1alpha1.FQDNEgressPolicySpec) { s.ClusterDNS = v1alpha1.ClusterDNSOmit })
	w.reconcile()
	if w.version() == version || w.book.unhealthy.Load() {
		t.Error("an edit waits")
	}
	version = w.version()
	w.clock.SetTime(testNow.Add(2 * time.Second))
	w.answer("192.0.2.1", "192.0.2.100")
	if w.reconcile(); w.version() == version {
		t.Error("two seconds later it still waits")
	}
}

func TestReconcile_AForeignWriterDoesNotMakeItCompileAgainAndAgain(t *testing.T) {
	w := newWorld(t, interceptor.Funcs{})
	w.reconcile()
	open := func() string {
		np := w.object()
		np.Spec.Egress = append(np.Spec.Egress, networkingv1.NetworkPolicyEgressRule{
			To: []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: "0.0.0.0/0"}}},
		})
		if err := w.api.Update(t.Context(), np); err != nil {
			t.Fatal(err)
		}
		return w.version()
	}
	for range contestedAfter {
		opened := open()
		if w.reconcile(); w.version() == opened {
			t.Fatal("it was not repaired")
		}
	}
	opened := open()
	result := w.reconcile()
	if w.version() != opened || result.RequeueAfter != ContestedPace+time.Millisecond || !w.result().Contested || !w.book.unhealthy.Load() {
		t.Errorf("contested: wrote %t, again in %s, %+v", w.version() != opened, result.RequeueAfter, w.result())
	}
	w.answer("192.0.2.1", "192.0.2.2")
	if w.reconcile(); w.version() == opened {
		t.Error("a new address waits for the contest")
	}
}

func TestReconcile_ForgetsWhatIsGone(t *testing.T) {
	w := newWorld(t, interceptor.Funcs{})
	w.reconcile()
	if err := w.api.Delete(t.Context(), w.policy()); err != nil {
		t.Fatal(err)
	}
	w.reconcile()
	if len(w.results.Of(testKey().Owner)) != 0 || len(w.r.memories.byKey) != 0 || w.book.Stats().Owners != 0 {
		t.Error("something is remembered of a policy that is gone")
	}
}

// The policy is deleted with --cascade=orphan: the cache has the object without its owner, and not the deletion yet.
func TestReconcile_AnOrphanStaysOneWhileThePolicyGoes(t *testing.T) {
	w := newWorld(t, interceptor.Funcs{})
	w.reconcile()
	np := w.object()
	np.OwnerReferences = nil
	if err := w.api.Update(t.Context(), np); err != nil {
		t.Fatal(err)
	}
	going := &v1alpha1.FQDNEgressPolicy{}
	deleted := metav1.NewTime(testNow)
	w.r.api.Live = interceptor.NewClient(w.api, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			err := c.Get(ctx, key, o, opts...)
			if policy, ok := o.(*v1alpha1.FQDNEgressPolicy); ok {
				policy.DeletionTimestamp = &deleted
				going = policy
			}
			return err
		},
	})
	result := w.reconcile()
	if going.UID == "" || len(w.object().OwnerReferences) != 0 {
		t.Errorf("policy %q was asked for, and the object has the owners %v", going.UID, w.object().OwnerReferences)
	}
	if result.RequeueAfter == 0 || result.RequeueAfter > 2*time.Second {
		t.Errorf("again after %v", result.RequeueAfter)
	}
	w.r.api.Live = w.api
	w.reconcile()
	if len(w.object().OwnerReferences) != 1 {
		t.Errorf("a policy that stays does not take back what lost its owner: %v", w.object().OwnerReferences)
	}
}
