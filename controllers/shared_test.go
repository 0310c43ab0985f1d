// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// ordinaryPolicy returns the i-th policy, which lists so many names; each has an address in each family.
func ordinaryPolicy(i, names int) *v1alpha1.FQDNEgressPolicy {
	port := intstr.FromInt32(443)
	p := &v1alpha1.FQDNEgressPolicy{ObjectMeta: metav1.ObjectMeta{
		Namespace: fmt.Sprintf("namespace-%d", i%10), Name: fmt.Sprintf("policy-%05d", i), ResourceVersion: fmt.Sprint(1000 + i),
		UID: types.UID(fmt.Sprintf("2f1c7b1e-8f4a-4b52-9d0e-%012d", i)), Generation: 1,
	}}
	p.Spec.PodSelector.MatchLabels = map[string]v1alpha1.LabelValue{"app": v1alpha1.LabelValue(p.Name)}
	rule := v1alpha1.EgressRule{Ports: []v1alpha1.EgressPort{{Port: &port}}}
	for _, c := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionResolved, v1alpha1.ConditionProgrammed} {
		p.Status.Conditions = append(p.Status.Conditions, metav1.Condition{
			Type: c, Status: metav1.ConditionTrue, Reason: c, Message: "All is well with " + c, LastTransitionTime: metav1.Unix(1_000_000, 0),
		})
	}
	for j := range names {
		name := fmt.Sprintf("host-%05d.shop.example", 100*i+j)
		rule.To = append(rule.To, v1alpha1.EgressPeer{FQDN: v1alpha1.FQDN(name)})
		p.Status.FQDNs = append(p.Status.FQDNs, v1alpha1.FQDNStatus{
			FQDN: name, State: v1alpha1.FQDNResolved, AddressCount: 2,
			Addresses: []string{fmt.Sprintf("198.18.%d.%d", i%250, j), fmt.Sprintf("2001:db8:%d::%d", i, j)},
		})
	}
	p.Spec.Egress = []v1alpha1.EgressRule{rule}
	p.Status.NetworkPolicies = []string{p.Name + "-fqdn"}
	return p
}

// ordinaryNetworkPolicy returns what is written for a policy, as the API server has it.
func ordinaryNetworkPolicy(t *testing.T, p *v1alpha1.FQDNEgressPolicy) *networkingv1.NetworkPolicy {
	names := map[fqdn.Pattern]netpol.Name{}
	for _, n := range p.Status.FQDNs {
		pattern, err := fqdn.ParsePattern(n.FQDN)
		if err != nil {
			t.Fatal(err)
		}
		name := netpol.Name{Answered: time.Unix(1, 0)}
		for _, a := range n.Addresses {
			name.Addresses = append(name.Addresses, netpol.Address{Addr: netip.MustParseAddr(a), Current: true})
		}
		names[pattern] = name
	}
	plan := netpol.Compile(netpol.Input{
		Policy: netpol.PolicyOf(p), Names: names,
		DNS: netpol.DNS{Namespace: "kube-system", Selector: map[string]string{"k8s-app": "kube-dns"}, ClusterIPs: []netip.Addr{netip.MustParseAddr("10.96.0.10")}},
	}, time.Unix(1, 0))
	if len(plan.Steps) != 1 {
		t.Fatalf("steps %+v", plan.Steps)
	}
	np := plan.Steps[0].Object
	np.UID, np.ResourceVersion = "9"+p.UID[1:], p.ResourceVersion
	return np
}

// decodedPolicy and decodedNetworkPolicy return a copy as the API server's answer is decoded to.
func decodedPolicy(t *testing.T, p *v1alpha1.FQDNEgressPolicy) *v1alpha1.FQDNEgressPolicy {
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	out := &v1alpha1.FQDNEgressPolicy{}
	if err := json.Unmarshal(raw, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func decodedNetworkPolicy(t *testing.T, np *networkingv1.NetworkPolicy) *networkingv1.NetworkPolicy {
	raw, err := np.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	out := &networkingv1.NetworkPolicy{}
	if err := out.Unmarshal(raw); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSharedChangesNoObject(t *testing.T) {
	s := new(shared)
	for i := range 3 {
		policy := ordinaryPolicy(i, 5)
		policy.Labels = map[string]string{"team": "shop"}
		policy.Status.FQDNs[1].Refused = []v1alpha1.RefusedAddress{{Address: "10.0.0.1", Reason: "private"}}
		policy.Status.FQDNs[2].FQDN = "elsewhere.example"
		np := ordinaryNetworkPolicy(t, policy)
		np.Annotations["team"] = "shop"
		// One rule may allow pods and addresses.
		np.Spec.Egress = append(np.Spec.Egress, networkingv1.NetworkPolicyEgressRule{To: append(
			[]networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}}}}, np.Spec.Egress[1].To...,
		)}, networkingv1.NetworkPolicyEgressRule{})

		gotPolicy, gotNP := decodedPolicy(t, policy), decodedNetworkPolicy(t, np)
		for range 2 { // an object may come twice
			for _, o := range []any{gotPolicy, gotNP} {
				if _, err := s.trim(o); err != nil {
					t.Fatal(err)
				}
			}
		}
		if diff := cmp.Diff(decodedPolicy(t, policy), gotPolicy); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(decodedNetworkPolicy(t, np), gotNP); diff != "" {
			t.Error(diff)
		}
		if to := gotNP.Spec.Egress[1].To; len(to) != cap(to) || cap(gotPolicy.Status.FQDNs) != 5 || cap(gotPolicy.Status.Conditions) != 3 {
			t.Errorf("lists have room: %d of %d peers, %d names, %d conditions", len(to), cap(to), cap(gotPolicy.Status.FQDNs), cap(gotPolicy.Status.Conditions))
		}
	}
}

func TestSharedIsWhatIsEqual(t *testing.T) {
	s := new(shared)
	a, b := decodedNetworkPolicy(t, ordinaryNetworkPolicy(t, ordinaryPolicy(1, 5))), decodedNetworkPolicy(t, ordinaryNetworkPolicy(t, ordinaryPolicy(2, 5)))
	s.networkPolicy(a)
	s.networkPolicy(b)
	if &a.Spec.Egress[0].To[0] != &b.Spec.Egress[0].To[0] {
		t.Error("two rules for the cluster's DNS")
	}
	if &a.Spec.Egress[1].Ports[0] != &b.Spec.Egress[1].Ports[0] || &a.Spec.Egress[1].To[0] == &b.Spec.Egress[1].To[0] {
		t.Error("of rules for names the ports are equal, and nothing else")
	}
	p, q := decodedPolicy(t, ordinaryPolicy(1, 5)), decodedPolicy(t, ordinaryPolicy(2, 5))
	s.policy(p)
	s.policy(q)
	if &p.Spec.Egress[0].Ports[0] != &q.Spec.Egress[0].Ports[0] {
		t.Error("ports of policies twice")
	}
}

// A table that is full begins anew, and what is common is shared again.
func TestSharedIsBounded(t *testing.T) {
	var s shared
	for i := range 10 * maxShared {
		if got := s.text(fmt.Sprint("message ", i)); got != fmt.Sprint("message ", i) {
			t.Fatalf("got %q", got)
		}
		s.text("Resolved")
		if len(s.strings) > maxShared {
			t.Fatalf("%d strings", len(s.strings))
		}
	}
}

// A long key is not kept: who may write NetworkPolicies could fill the table with the ports of one object.
func TestSharedKeepsNothingLong(t *testing.T) {
	var s shared
	long := strings.Repeat("x", maxKey+1)
	if got := s.text(long); got != long || len(s.strings) > 0 {
		t.Errorf("%d strings are kept", len(s.strings))
	}
	np := &networkingv1.NetworkPolicy{Spec: networkingv1.NetworkPolicySpec{Egress: []networkingv1.NetworkPolicyEgressRule{{}}}}
	for i := range 1_000 {
		np.Spec.Egress[0].Ports = append(np.Spec.Egress[0].Ports, networkingv1.NetworkPolicyPort{Port: new(intstr.FromInt32(int32(i)))})
	}
	if s.networkPolicy(np); len(np.Spec.Egress[0].Ports) != 1_000 || len(s.rules) > 0 {
		t.Errorf("%d rules are kept", len(s.rules))
	}
}

// TestCachedObjectsAreSmall measures what an ordinary policy takes in the cache. docs/performance.md tells what is known of the
// whole process.
func TestCachedObjectsAreSmall(t *testing.T) {
	if testing.Short() {
		t.Skip("it fills a cache")
	}
	const few, many = 5, 25
	for _, tt := range []struct {
		name         string
		object, each int // bytes at most of one with five names, and of a name
		decode       func(i, names int) any
	}{
		{"FQDNEgressPolicy", 2700, 270, func(i, names int) any { return decodedPolicy(t, ordinaryPolicy(i, names)) }},
		{"NetworkPolicy", 3000, 250, func(i, names int) any {
			return decodedNetworkPolicy(t, ordinaryNetworkPolicy(t, ordinaryPolicy(i, names)))
		}},
	} {
		of := func(names int) int {
			const count = 500
			s, objects := new(shared), make([]any, count)
			before := heap()
			for i := range objects {
				o, err := s.trim(tt.decode(i, names))
				if err != nil {
					t.Fatal(err)
				}
				objects[i] = o
			}
			after := heap()
			runtime.KeepAlive(objects)
			return int(after-before) / count
		}
		object := of(few)
		each := (of(many) - object) / (many - few)
		t.Logf("%s takes %d bytes with %d names, each of which takes %d", tt.name, object, few, each)
		if object > tt.object || each > tt.each {
			t.Errorf("%s takes %d bytes with %d names, each of which takes %d; want at most %d and %d", tt.name, object, few, each, tt.object, tt.each)
		}
	}
}

// heap returns the bytes in use. What the first run finds to be garbage may be freed by finalizers only before the second.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestCachedPeersAreSmall measures what a further address of a name takes in the cache: in the NetworkPolicy, in its annotation and in the
// status, which lists 50 of a name. Half of them are of the longest that IPv6 has. The limit of peers is reckoned with that, see limits.go in
// test/bench.
func TestCachedPeersAreSmall(t *testing.T) {
	if testing.Short() {
		t.Skip("it fills a cache")
	}
	const count, few, many, most = 200, 10, 50, 190
	of := func(addresses int) int {
		s, objects := new(shared), make([]any, 0, 2*count)
		before := heap()
		for i := range count {
			policy := ordinaryPolicy(i, 5)
			for j := range policy.Status.FQDNs {
				n := &policy.Status.FQDNs[j]
				n.Addresses = nil
				for k := range addresses / 2 {
					n.Addresses = append(n.Addresses, fmt.Sprintf("198.18.%d.%d", 100+j, 100+k),
						fmt.Sprintf("2001:db8:%x:%x:%x:1234:5678:9abc", 0x1000+i, 0x1000+j, 0x1000+k))
				}
			}
			for _, o := range []any{decodedPolicy(t, policy), decodedNetworkPolicy(t, ordinaryNetworkPolicy(t, policy))} {
				o, err := s.trim(o)
				if err != nil {
					t.Fatal(err)
				}
				objects = append(objects, o)
			}
		}
		after := heap()
		runtime.KeepAlive(objects)
		return int(after-before) / count
	}
	if got := (of(many) - of(few)) / (5 * (many - few)); got > most {
		t.Errorf("a further address takes %d bytes in the cache, more than %d", got, most)
	} else {
		t.Logf("%d bytes", got)
	}
}
