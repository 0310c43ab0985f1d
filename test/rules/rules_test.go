// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

func networkPolicy(name string, cidrs ...string) *networkingv1.NetworkPolicy {
	number := intstr.FromInt32(443)
	rule := networkingv1.NetworkPolicyEgressRule{Ports: []networkingv1.NetworkPolicyPort{{Port: &number}}}
	for _, cidr := range cidrs {
		rule.To = append(rule.To, networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: cidr}})
	}
	return &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
		Spec:       networkingv1.NetworkPolicySpec{Egress: []networkingv1.NetworkPolicyEgressRule{rule}},
	}
}

func key(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: "shop", Name: name}
}

func TestExpectationsAreMetByWhatTheWatchBrings(t *testing.T) {
	c := fake.NewClientBuilder().Build()
	w, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	both := w.Expect(map[types.NamespacedName][]Peer{key("a"): Peers(443, "192.0.2.1"), key("b"): Peers(443, "192.0.2.2", "2001:db8::2")})
	one := w.Expect(map[types.NamespacedName][]Peer{key("b"): Peers(443, "192.0.2.2")})
	for _, np := range []*networkingv1.NetworkPolicy{networkPolicy("a", "192.0.2.1/32"), networkPolicy("b", "192.0.2.2/32")} {
		if err := c.Create(t.Context(), np); err != nil {
			t.Fatal(err)
		}
	}
	if at, err := one.Await(t.Context(), time.Minute); err != nil || len(at) != 1 {
		t.Errorf("%v, %v", at, err)
	}
	select {
	case <-both.complete:
		t.Error("an address is missing, and it counts as complete")
	default:
	}
	b := &networkingv1.NetworkPolicy{}
	if err := c.Get(t.Context(), key("b"), b); err != nil {
		t.Fatal(err)
	}
	b.Spec = networkPolicy("b", "2001:db8::2/128", "192.0.2.2/32").Spec
	if err := c.Update(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if at, err := both.Await(t.Context(), time.Minute); err != nil || len(at) != 2 || !slices.IsSortedFunc(at, time.Time.Compare) {
		t.Errorf("%v, %v", at, err)
	}
	if diff := cmp.Diff(map[types.NamespacedName]int{key("a"): 1, key("b"): 2}, w.Versions()); diff != "" {
		t.Error(diff)
	}
}

func TestAwaitSaysHowManyAreMissing(t *testing.T) {
	w, err := Start(t.Context(), fake.NewClientBuilder().Build())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	e := w.Expect(map[types.NamespacedName][]Peer{key("a"): Peers(443, "192.0.2.1")})
	if _, err := e.Await(t.Context(), time.Millisecond); err == nil {
		t.Error("nothing came, and nothing is said")
	}
	if len(w.pending) != 0 {
		t.Error("it is still waited for")
	}
}

func TestLossesAndAdditions(t *testing.T) {
	w := &Watch{peers: map[types.NamespacedName]map[Peer]bool{}, versions: map[types.NamespacedName]int{}}
	var added []Peer
	w.OnAdded(func(_ types.NamespacedName, p Peer, _ time.Time) { added = append(added, p) })
	w.take(watch.Event{Type: watch.Added, Object: networkPolicy("a", "192.0.2.1/32")}, time.Now())
	w.take(watch.Event{Type: watch.Modified, Object: networkPolicy("a", "192.0.2.2/32")}, time.Now())
	w.take(watch.Event{Type: watch.Deleted, Object: networkPolicy("a", "192.0.2.2/32")}, time.Now())
	if diff := cmp.Diff([]Peer{"443 192.0.2.1/32", "443 192.0.2.2/32"}, added); diff != "" {
		t.Error(diff)
	}
	lost, err := w.Losses()
	if diff := cmp.Diff([]string{"443 192.0.2.1/32 of shop/a", "shop/a"}, lost); diff != "" || err != nil {
		t.Error(diff, err)
	}
	w.take(watch.Event{Type: watch.Error, Object: &metav1.Status{Reason: metav1.StatusReasonExpired}}, time.Now())
	if _, err := w.Losses(); err == nil {
		t.Error("the watch missed something, and nothing is said")
	}
}

func TestStartRefusesWhatIsThereAlready(t *testing.T) {
	c := fake.NewClientBuilder().WithObjects(networkPolicy("a")).Build()
	if _, err := Start(t.Context(), c, client.InNamespace("shop")); err == nil {
		t.Error("an object that nobody saw come is followed")
	}
}
