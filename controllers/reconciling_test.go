// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/controllers/metrics"
	"github.com/fqdn-egress/fqdn-egress/controllers/status"
	"github.com/fqdn-egress/fqdn-egress/controllers/target"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/clusterdns"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

var testNow = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// statusInterval is the time between two writes of the status of one policy.
const statusInterval = 5 * time.Second

// These tests reconcile a target and then the status of its policy, once or twice, against an API server that answers as a test
// wants: with what a real one answers only in rare moments. What it does otherwise is the business of test/integration.
type reconciling struct {
	t        *testing.T
	api      client.WithWatch // past what the test intercepts
	targets  *target.Reconciler
	statuses *status.Reconciler
	book     *addressbook.Book
	pulse    *Pulse
	registry *prometheus.Registry
	clock    *clocktesting.FakeClock
	recorder *events.FakeRecorder
}

const (
	testNamespace = "shop"
	testPolicy    = "web"
	testObject    = "web-fqdn"
)

func testKey() target.Key {
	return target.KeyOf(client.ObjectKey{Namespace: testNamespace, Name: testPolicy})
}

// reconcilingWith has the policy web, whose only name is answered with 192.0.2.1.
func reconcilingWith(t *testing.T, intercept interceptor.Funcs, objects ...client.Object) *reconciling {
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
		WithIndex(&networkingv1.NetworkPolicy{}, target.PolicyIndex, target.IndexedPolicies).Build()
	w := &reconciling{
		t: t, api: api, book: addressbook.New(addressbook.Options{}), pulse: &Pulse{}, registry: prometheus.NewRegistry(),
		clock: clocktesting.NewFakeClock(testNow), recorder: events.NewFakeRecorder(100),
	}
	c, results, m := interceptor.NewClient(api, intercept), target.NewResults(), metrics.New(w.registry, w.book, aClusterDNS{})
	w.targets = target.New(target.API{Client: c, Live: api}, w.book, aClusterDNS{}, (&Guard{}).Current, w.pulse, results, w.clock, m,
		target.Options{MaxStale: time.Hour})
	w.statuses = status.New(c, results, noRules{}, aClusterDNS{}, w.pulse, w.recorder, w.clock, m, "kube-system/kube-dns")
	w.book.Want(testKey().Owner, addressbook.Wants{Patterns: []fqdn.Pattern{given.Pattern(t, "www.example.com")}}, testNow)
	w.book.Serve("", 1)
	w.answer("192.0.2.1")
	return w
}

// noRules is a queue of targets in which nobody waits.
type noRules struct{}

func (noRules) Waiting(string) bool { return false }

// aClusterDNS is a cluster whose DNS Service is there and never changes.
type aClusterDNS struct{}

func (aClusterDNS) Facts() clusterdns.Facts {
	return clusterdns.Facts{Found: true, Asked: clusterdns.AskedEndpoints, Namespace: "kube-system", ClusterIPs: given.Addrs("10.96.0.10"),
		ServicePorts: []clusterdns.Port{{Protocol: "UDP", Port: 53}}}
}

func (w *reconciling) answer(addresses ...string) {
	www, _ := given.Pattern(w.t, "www.example.com").Exact()
	for _, family := range []addressbook.Family{addressbook.IPv4, addressbook.IPv6} {
		answer := addressbook.Answer{Outcome: addressbook.NoData, TTL: time.Minute}
		if family == addressbook.IPv4 {
			answer = addressbook.Answer{Outcome: addressbook.Good, Addrs: given.Addrs(addresses...), TTL: time.Minute}
		}
		w.book.Record(addressbook.Key{Name: www, Family: family, Source: "10.96.0.10:53"}, answer, w.clock.Now())
	}
}

// reconcile looks at the target and at the status, and returns when the first of them is looked at again.
func (w *reconciling) reconcile() (reconcile.Result, error) {
	ofTarget, errTarget := w.targets.Reconcile(w.t.Context(), testKey())
	ofStatus, errStatus := w.statuses.Reconcile(w.t.Context(), testKey().Owner)
	if ofTarget.RequeueAfter == 0 || ofStatus.RequeueAfter > 0 && ofStatus.RequeueAfter < ofTarget.RequeueAfter {
		ofTarget = ofStatus
	}
	return ofTarget, errors.Join(errTarget, errStatus)
}

// settled reconciles until nothing is left to do now.
func (w *reconciling) settled() reconcile.Result {
	w.t.Helper()
	var result reconcile.Result
	for range 2 {
		var err error
		if result, err = w.reconcile(); err != nil {
			w.t.Fatal(err)
		}
	}
	return result
}

func (w *reconciling) status() v1alpha1.FQDNEgressPolicyStatus { return w.policy().Status }

func (w *reconciling) policy() *v1alpha1.FQDNEgressPolicy {
	w.t.Helper()
	policy := &v1alpha1.FQDNEgressPolicy{}
	if err := w.api.Get(w.t.Context(), client.ObjectKey{Namespace: testNamespace, Name: testPolicy}, policy); err != nil {
		w.t.Fatal(err)
	}
	return policy
}

// object returns the live NetworkPolicy; nil if there is none.
func (w *reconciling) object() *networkingv1.NetworkPolicy {
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

// blocks returns the ipBlocks of the live NetworkPolicy.
func (w *reconciling) blocks() []string {
	w.t.Helper()
	np := w.object()
	if np == nil {
		return nil
	}
	var blocks []string
	for _, rule := range np.Spec.Egress {
		for _, peer := range rule.To {
			if peer.IPBlock != nil {
				blocks = append(blocks, peer.IPBlock.CIDR)
			}
		}
	}
	return blocks
}

func conditionOf(status v1alpha1.FQDNEgressPolicyStatus, kind string) string {
	c := meta.FindStatusCondition(status.Conditions, kind)
	if c == nil {
		return "none"
	}
	return string(c.Status) + "/" + c.Reason
}

func (w *reconciling) wantOutcome(verb, outcome string, want float64) {
	w.t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	got := 0.0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if f.GetName() == "fqdn_egress_writes_total" && labels["resource"] == "networkpolicies" && labels["verb"] == verb && labels["outcome"] == outcome {
				got = m.GetCounter().GetValue()
			}
		}
	}
	if got != want {
		w.t.Errorf("%v writes %s with outcome %s, want %v", got, verb, outcome, want)
	}
}

func (w *reconciling) wantNoEvent() {
	w.t.Helper()
	select {
	case e := <-w.recorder.Events:
		w.t.Errorf("event %s", e)
	default:
	}
}

// onWrite lets a test answer for the API server: on creates and updates of NetworkPolicies.
func onWrite(answer func(write func() error, np *networkingv1.NetworkPolicy) error) interceptor.Funcs {
	return interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if np, ok := o.(*networkingv1.NetworkPolicy); ok {
				return answer(func() error { return c.Create(ctx, np, opts...) }, np)
			}
			return c.Create(ctx, o, opts...)
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			if np, ok := o.(*networkingv1.NetworkPolicy); ok {
				return answer(func() error { return c.Update(ctx, np, opts...) }, np)
			}
			return c.Update(ctx, o, opts...)
		},
	}
}
