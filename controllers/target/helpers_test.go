// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/controllers/metrics"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/clusterdns"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

var testNow = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

const (
	testNamespace = "shop"
	testPolicy    = "web"
	testObject    = "web-fqdn"
)

func testKey() Key { return KeyOf(client.ObjectKey{Namespace: testNamespace, Name: testPolicy}) }

// networkPolicy is one with a single block, so that another block is another object.
func networkPolicy(cidr string) networkingv1.NetworkPolicy {
	return networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: testObject},
		Spec: networkingv1.NetworkPolicySpec{Egress: []networkingv1.NetworkPolicyEgressRule{{
			To: []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: cidr}}},
		}}},
	}
}

// world is one policy, web, and an API server that answers as a test wants: with what a real one answers only in rare moments.
type world struct {
	t       *testing.T
	api     client.WithWatch // past what the test intercepts
	r       *Reconciler
	book    *tellingBook
	results *Results
	clock   *clocktesting.FakeClock
}

// newWorld has the policy web, whose only name is answered with 192.0.2.1.
func newWorld(t *testing.T, intercept interceptor.Funcs, objects ...client.Object) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	policy := &v1alpha1.FQDNEgressPolicy{ObjectMeta: metav1.ObjectMeta{
		Namespace: testNamespace, Name: testPolicy, UID: "u", Generation: 1, CreationTimestamp: metav1.NewTime(testNow),
	}}
	policy.Spec.Egress = []v1alpha1.EgressRule{{To: []v1alpha1.EgressPeer{{FQDN: "www.example.com"}}}}
	api := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(policy).WithObjects(append(objects, policy)...).
		WithIndex(&networkingv1.NetworkPolicy{}, PolicyIndex, IndexedPolicies).Build()
	book := &tellingBook{Book: addressbook.New(addressbook.Options{}), sickness: make(chan struct{}, 1)}
	w := &world{t: t, api: api, book: book, results: NewResults(), clock: clocktesting.NewFakeClock(testNow)}
	w.r = New(API{Client: interceptor.NewClient(api, intercept), Live: api}, w.book, aClusterDNS{},
		func(context.Context) (netpol.Guard, error) { return netpol.Guard{}, nil }, steady{}, w.results, w.clock,
		metrics.New(prometheus.NewRegistry(), w.book.Book, aClusterDNS{}), Options{MaxStale: time.Hour})
	w.book.Want(testKey().Owner, wantsOf(policy), testNow)
	w.book.Serve("", 1)
	w.answer("192.0.2.1")
	return w
}

// tellingBook notes what it is told of the writer.
type tellingBook struct {
	*addressbook.Book
	applied   []addressbook.Revision
	unhealthy atomic.Bool // a clock may tell it
	sickness  chan struct{}
}

func (b *tellingBook) Applied(o addressbook.Owner, r addressbook.Revision) {
	b.applied = append(b.applied, r)
	b.Book.Applied(o, r)
}

func (b *tellingBook) SetHealthy(o addressbook.Owner, healthy bool) {
	b.unhealthy.Store(!healthy)
	b.Book.SetHealthy(o, healthy)
	if !healthy {
		select {
		case b.sickness <- struct{}{}:
		default:
		}
	}
}

// aClusterDNS is a cluster whose DNS Service is there and never changes.
type aClusterDNS struct{}

func (aClusterDNS) Facts() clusterdns.Facts {
	return clusterdns.Facts{Found: true, Asked: clusterdns.AskedEndpoints, Namespace: "kube-system", ClusterIPs: given.Addrs("10.96.0.10"),
		ServicePorts: []clusterdns.Port{{Protocol: "UDP", Port: 53}}}
}

// steady is a process that may always write.
type steady struct{}

func (steady) Steady(time.Time) bool { return true }

func (w *world) answer(addresses ...string) { w.answerFor("www.example.com", addresses...) }

func (w *world) answerFor(name string, addresses ...string) {
	n, _ := given.Pattern(w.t, name).Exact()
	for _, family := range []addressbook.Family{addressbook.IPv4, addressbook.IPv6} {
		answer := addressbook.Answer{Outcome: addressbook.NoData, TTL: time.Minute}
		if family == addressbook.IPv4 {
			answer = addressbook.Answer{Outcome: addressbook.Good, Addrs: given.Addrs(addresses...), TTL: time.Minute}
		}
		w.book.Record(addressbook.Key{Name: n, Family: family, Source: "10.96.0.10:53"}, answer, w.clock.Now())
	}
}

func (w *world) reconcile() reconcile.Result {
	w.t.Helper()
	result, err := w.r.Reconcile(w.t.Context(), testKey())
	if err != nil {
		w.t.Fatal(err)
	}
	return result
}

func (w *world) result() *Result {
	w.t.Helper()
	results := w.results.Of(testKey().Owner)
	if len(results) != 1 {
		w.t.Fatalf("%d results", len(results))
	}
	return results[0]
}

func (w *world) policy() *v1alpha1.FQDNEgressPolicy {
	w.t.Helper()
	policy := &v1alpha1.FQDNEgressPolicy{}
	if err := w.api.Get(w.t.Context(), client.ObjectKey{Namespace: testNamespace, Name: testPolicy}, policy); err != nil {
		w.t.Fatal(err)
	}
	return policy
}

// edit changes the spec, as a new generation.
func (w *world) edit(change func(*v1alpha1.FQDNEgressPolicySpec)) {
	w.t.Helper()
	policy := w.policy()
	change(&policy.Spec)
	policy.Generation++
	if err := w.api.Update(w.t.Context(), policy); err != nil {
		w.t.Fatal(err)
	}
}

// object returns the live NetworkPolicy; nil if there is none.
func (w *world) object() *networkingv1.NetworkPolicy {
	w.t.Helper()
	np := &networkingv1.NetworkPolicy{}
	err := w.api.Get(w.t.Context(), client.ObjectKey{Namespace: testNamespace, Name: testObject}, np)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return np
}
