// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"context"
	"errors"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/controllers/metrics"
	"github.com/fqdn-egress/fqdn-egress/controllers/target"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

func TestReconcile_AtMostOneStatusInFiveSeconds(t *testing.T) {
	w := newWorld(t, true)
	w.want(0, 0)
	w.after(foldInterval)
	w.looked(2)
	w.want(1, 0)
	for i := range 4 { // each second another address
		w.after(foldInterval + time.Duration(i+1)*time.Second)
		w.looked(3 + i)
		w.want(1, interval-time.Duration(i+1)*time.Second)
	}
	w.after(foldInterval + interval)
	w.want(2, 0)
	if got := w.policy().Status.AddressCount; got != 6 {
		t.Errorf("the last status says %d addresses", got)
	}
}

func TestReconcile_AnIdleStatusIsNotLookedAtMoreThanOnceASecond(t *testing.T) {
	w := newWorld(t, true)
	w.want(0, 0)
	w.after(foldInterval / 4)
	w.want(0, foldInterval-foldInterval/4)
}

func TestReconcile_TheFirstStatusOfAGenerationGoesAtOnce(t *testing.T) {
	w := newWorld(t, true)
	w.looked(2)
	w.want(1, 0)
	w.edit()
	w.want(1, 0) // its target was not looked at yet; that will wake it
	w.looked(2)
	w.want(2, 0)
	if got := w.policy().Status.ObservedGeneration; got != 2 {
		t.Errorf("the status is of generation %d", got)
	}
}

func TestReconcile_ANewStatusOfAnotherPolicyOfThatNameWaitsForItsTarget(t *testing.T) {
	w := newWorld(t, false)
	result := target.Result{UID: "of the one before", Generation: 1}
	w.results.Put(w.key, &result)
	w.want(0, 0)
}

// Rules before words, but not for ever.
func TestReconcile_RulesGoFirst(t *testing.T) {
	for name, tc := range map[string]struct {
		waiting string
		old     bool
		most    time.Duration // that it waits; 0: it does not
	}{
		"rules of its tenant":                         {"shop", true, maxWaitForRules},
		"rules of others that only wait for a worker": {"*", true, maxWaitForRules},
		"rules of others that wait for their own":     {"other", true, 0},
		"the first of a policy does not wait as long": {"shop", false, maxWaitForRulesFirst},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tc.old)
			w.rules[tc.waiting] = true
			w.looked(2)
			if tc.most == 0 {
				w.want(1, 0)
				return
			}
			w.want(0, tc.most)
			w.after(tc.most - time.Millisecond)
			w.want(0, time.Millisecond)
			w.after(tc.most)
			w.want(1, 0)
		})
	}
}

// Where rules never rest, a tenant has a few statuses all the same, and not more.
func TestReconcile_FewStatusesAreWrittenWhileRulesWait(t *testing.T) {
	w := newWorld(t, true)
	w.rules["*"] = true
	for range 10 {
		w.r.share.wroteLate("shop", w.clock.Now())
	}
	w.looked(2)
	w.want(0, maxWaitForRules)
	for _, written := range []time.Duration{5 * time.Second, 10 * time.Second, 15 * time.Second} { // 7.5, 5 and 2.5 too many
		w.after(written)
		w.want(0, maxWaitForRules)
	}
	w.after(20 * time.Second)
	w.want(1, 0)
	if spent := w.r.share.tenants["shop"].late.Spent(rateOfLate(), w.clock.Now()); spent != 1 {
		t.Errorf("the bucket has %v taken, want the one that was written", spent)
	}
}

func TestReconcile_TheStatusIsWokenWhenNoRulesWaitAnyMore(t *testing.T) {
	w := newWorld(t, true)
	w.rules["shop"] = true
	w.looked(2)
	w.want(0, maxWaitForRules)
	if owners := w.r.RulesRanDry(); len(owners) != 0 {
		t.Errorf("woken while its rules wait: %v", owners)
	}
	delete(w.rules, "shop")
	if owners := w.r.RulesRanDry(); len(owners) != 1 || owners[0] != w.key.Owner {
		t.Fatalf("woken: %v", owners)
	}
	if owners := w.r.RulesRanDry(); len(owners) != 0 {
		t.Errorf("woken again: %v", owners)
	}
	w.after(foldInterval)
	w.want(1, 0)
}

// The rules run dry between the question whether some wait and the note that the status does.
func TestReconcile_RulesRunDryInTheVeryMoment(t *testing.T) {
	w := newWorld(t, true)
	w.r.rules = &waitingOnce{}
	w.looked(2)
	w.want(0, 0)
	if w.reconcile().RequeueAfter == 0 {
		t.Error("it is not looked at again")
	}
	w.after(foldInterval)
	w.want(1, 0)
}

// waitingOnce is a queue where rules wait at the first look.
type waitingOnce struct{ looks int }

func (w *waitingOnce) Waiting(string) bool { w.looks++; return w.looks == 1 }

// A status that says what is true already waits for nobody.
func TestReconcile_NothingToSayNothingToWaitFor(t *testing.T) {
	w := newWorld(t, true)
	w.rules["shop"] = true
	w.want(0, 0)
	if owners := w.r.RulesRanDry(); len(owners) != 0 {
		t.Errorf("it waits: %v", owners)
	}
}

func TestReconcile_AnotherVersionOfThePolicy(t *testing.T) {
	w := newWorld(t, true)
	resource := schema.GroupResource{Group: v1alpha1.GroupName, Resource: "fqdnegresspolicies"}
	w.fail = apierrors.NewConflict(resource, "web", errors.New("the object has been modified"))
	w.looked(2)
	w.want(0, retryWait-time.Millisecond)
	w.fail = apierrors.NewNotFound(resource, "web")
	w.after(retryWait)
	w.want(0, retryWait-time.Millisecond) // the cache has it still: it is not gone
	w.fail = errors.New("connection lost")
	w.after(2 * retryWait)
	if _, err := w.r.Reconcile(t.Context(), w.key.Owner); !errors.Is(err, w.fail) {
		t.Errorf("got %v", err)
	}
	w.fail = nil
	w.after(3 * retryWait)
	w.want(1, 0)
}

// The patch has the resourceVersion, so that a cache that is behind cannot put an older status in the place of a newer one.
func TestReconcile_AStaleCacheWritesNoOlderStatus(t *testing.T) {
	w := newWorld(t, true)
	stale := w.policy()
	newer := w.policy()
	newer.Status.AddressCount = 7
	if err := w.api.Status().Update(t.Context(), newer); err != nil {
		t.Fatal(err)
	}
	w.r.client = interceptor.NewClient(w.api, interceptor.Funcs{
		Get: func(_ context.Context, _ client.WithWatch, _ client.ObjectKey, o client.Object, _ ...client.GetOption) error {
			stale.DeepCopyInto(o.(*v1alpha1.FQDNEgressPolicy))
			return nil
		},
	})
	w.looked(2)
	w.reconcile()
	if got := w.policy().Status.AddressCount; got != 7 {
		t.Errorf("the newer status became one of %d addresses", got)
	}
}

func TestReconcile_AProcessThatWasStoppedWritesNoStatus(t *testing.T) {
	w := newWorld(t, true)
	w.r.fence = steady(false)
	w.looked(2)
	w.want(0, target.FenceInterval-time.Millisecond)
}

func TestReconcile_AStatusOfANamespaceThatGoesIsNotWritten(t *testing.T) {
	w := newWorld(t, true)
	w.put(target.Result{Vanishes: true})
	w.want(0, 0)
}

func TestReconcile_ForgetsWhatIsGone(t *testing.T) {
	w := newWorld(t, true)
	if err := w.api.Delete(t.Context(), w.policy()); err != nil {
		t.Fatal(err)
	}
	w.want(0, 0)
	if len(w.r.dues.byOwner) != 0 {
		t.Error("something is remembered of a policy that is gone")
	}
}

// A start is no reason to write at once what an answer in a moment will say again.
func TestReconcile_AfterAStart(t *testing.T) {
	w := newWorld(t, true)
	w.r.dues = dues{}
	w.looked(2)
	w.want(0, interval)
	w.after(interval)
	w.want(1, 0)
}

func TestFold(t *testing.T) {
	policy := &v1alpha1.FQDNEgressPolicy{ObjectMeta: metav1.ObjectMeta{UID: "u", Generation: 2}}
	www := given.Pattern(t, "www.example.com")
	a := &target.Result{
		UID: "u", Generation: 2, Objects: []string{"web-cfqdn"}, AddressCount: 2, Refused: 1, Vanishes: true,
		Names: []target.Name{{Pattern: www, Addresses: given.Addrs("192.0.2.1", "192.0.2.2"), AddressCount: 2, Holds: true}},
	}
	b := &target.Result{
		UID: "u", Generation: 2, Error: "exceeded quota", AddressCount: 1, Refused: 1, Contested: true, AwaitsTurn: true, LeftOut: 3, NoRoom: 2,
		RoomLimit: metrics.PeersPerNamespace,
		Names:     []target.Name{{Pattern: www, Addresses: given.Addrs("192.0.2.1"), AddressCount: 1, Carried: true}},
	}
	folded, ok := fold(policy, []*target.Result{a, b})
	if !ok {
		t.Fatal("not folded")
	}
	if folded.Error != "exceeded quota" || !folded.Contested || !folded.AwaitsTurn || folded.Vanishes || folded.AddressCount != 3 || folded.LeftOut != 3 || folded.Refused != 1 ||
		folded.NoRoom != 2 || folded.RoomLimit != metrics.PeersPerNamespace {
		t.Errorf("%+v", folded)
	}
	if n := folded.Names[0]; n.AddressCount != 1 || !n.Carried || n.Holds {
		t.Errorf("%+v", n)
	}
	if a.Names[0].AddressCount != 2 {
		t.Error("a Result was changed")
	}
	b.Generation = 1
	if _, ok := fold(policy, []*target.Result{a, b}); ok {
		t.Error("a target that saw another generation was folded")
	}
	if _, ok := fold(policy, nil); ok {
		t.Error("no target was looked at, and there is a result")
	}
}
