// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/controllers/metrics"
	"github.com/fqdn-egress/fqdn-egress/controllers/target"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/clusterdns"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

// world is one policy, web, whose target was looked at.
type world struct {
	t       *testing.T
	api     client.WithWatch
	r       *Reconciler
	results *target.Results
	key     target.Key
	clock   *clocktesting.FakePassiveClock
	rules   rulesWaiting
	patches int
	fail    error // of the next patches
}

// rulesWaiting says of which tenants rules wait to be written.
type rulesWaiting map[string]bool

func (r rulesWaiting) Waiting(t string) bool { return r[t] || r["*"] }

type noDNS struct{}

func (noDNS) Facts() clusterdns.Facts {
	return clusterdns.Facts{Found: true, Asked: clusterdns.AskedEndpoints}
}

type steady bool

func (s steady) Steady(time.Time) bool { return bool(s) }

// newWorld has a status of generation 1, written an hour ago, if old is true.
func newWorld(t *testing.T, old bool) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	policy := &v1alpha1.FQDNEgressPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "u", Generation: 1}}
	policy.Spec.Egress = []v1alpha1.EgressRule{{To: []v1alpha1.EgressPeer{{FQDN: "www.example.com"}}}}
	w := &world{
		t: t, results: target.NewResults(), clock: clocktesting.NewFakePassiveClock(testNow.Add(-time.Hour)), rules: rulesWaiting{},
		key: target.KeyOf(client.ObjectKeyFromObject(policy)),
	}
	w.api = fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(policy).WithObjects(policy).Build()
	c := interceptor.NewClient(w.api, interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			if w.fail != nil {
				return w.fail
			}
			w.patches++
			return c.SubResource(sub).Patch(ctx, o, p, opts...)
		},
	})
	w.r = New(c, w.results, w.rules, noDNS{}, steady(true), events.NewFakeRecorder(100), w.clock,
		metrics.New(prometheus.NewRegistry(), addressbook.New(addressbook.Options{}), noDNS{}), "kube-system/kube-dns")
	w.looked(1)
	if old {
		w.reconcile()
	}
	w.clock.SetTime(testNow)
	w.patches = 0
	return w
}

// looked is a look at the target that found so many addresses.
func (w *world) looked(addresses int) {
	w.t.Helper()
	w.put(target.Result{Objects: []string{"web-fqdn"}, Planned: []string{"web-fqdn"}, AddressCount: addresses})
}

func (w *world) put(result target.Result) {
	w.t.Helper()
	policy := w.policy()
	result.UID, result.Generation = policy.UID, policy.Generation
	www := given.Pattern(w.t, "www.example.com")
	result.Served, result.Heard = 1, true
	result.Names = []target.Name{{
		Pattern: www, State: addressbook.Resolved, Tried: true, Special: &target.Special{Wanted: testNow.Add(-time.Hour)}, Answered: true,
	}}
	w.results.Put(w.key, &result)
}

func (w *world) reconcile() reconcile.Result {
	w.t.Helper()
	result, err := w.r.Reconcile(w.t.Context(), w.key.Owner)
	if err != nil {
		w.t.Fatal(err)
	}
	return result
}

func (w *world) policy() *v1alpha1.FQDNEgressPolicy {
	w.t.Helper()
	policy := &v1alpha1.FQDNEgressPolicy{}
	if err := w.api.Get(w.t.Context(), w.key.Policy(), policy); err != nil {
		w.t.Fatal(err)
	}
	return policy
}

func (w *world) edit() {
	w.t.Helper()
	policy := w.policy()
	policy.Generation++
	if err := w.api.Update(w.t.Context(), policy); err != nil {
		w.t.Fatal(err)
	}
}

// want reconciles, and wants so many writes by now and the next look after so long.
func (w *world) want(patches int, again time.Duration) {
	w.t.Helper()
	result := w.reconcile()
	if got := max(result.RequeueAfter-time.Millisecond, 0); w.patches != patches || got != again {
		w.t.Errorf("%s: %d writes, again in %s; want %d, %s", w.clock.Now().Sub(testNow), w.patches, got, patches, again)
	}
}

func (w *world) after(d time.Duration) { w.clock.SetTime(testNow.Add(d)) }
