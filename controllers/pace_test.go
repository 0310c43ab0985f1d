// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// networkPolicy is one with a single block, so that another block is another object.
func networkPolicy(cidr string) networkingv1.NetworkPolicy {
	return networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "web-fqdn"},
		Spec: networkingv1.NetworkPolicySpec{Egress: []networkingv1.NetworkPolicyEgressRule{{
			To: []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: cidr}}},
		}}},
	}
}

// aMemory is that of a policy whose spec of generation 1 was written, with the given block.
func aMemory(t *testing.T, cidr string) (*memory, observation) {
	t.Helper()
	policy := &v1alpha1.FQDNEgressPolicy{ObjectMeta: metav1.ObjectMeta{Name: "web", UID: "u", Generation: 1}}
	var ms memories
	m := ms.of(policy, testNow)
	m.generation = 1
	live := []networkingv1.NetworkPolicy{networkPolicy(cidr)}
	m.know(live)
	return m, observation{policy: policy, live: live, memory: m}
}

func update(cidr string) []netpol.Step {
	np := networkPolicy(cidr)
	return []netpol.Step{{Verb: netpol.Update, Object: &np}}
}

func TestInvariant10_AddressWritesPassATokenBucket(t *testing.T) {
	m, in := aMemory(t, "192.0.2.1/32")
	for i := range addressBurst {
		if at := m.paceOf(in, update("192.0.2.2/32"), testNow); !at.IsZero() {
			t.Fatalf("write %d has to wait until %s", i, at)
		}
	}
	if at, want := m.paceOf(in, update("192.0.2.2/32"), testNow), testNow.Add(addressInterval); !at.Equal(want) {
		t.Errorf("after the burst: next write at %s, want %s", at, want)
	}
	later := testNow.Add(addressInterval)
	if at := m.paceOf(in, update("192.0.2.2/32"), later); !at.IsZero() {
		t.Errorf("two seconds later it still has to wait, until %s", at)
	}
	if at := m.paceOf(in, nil, later); !at.IsZero() {
		t.Errorf("nothing to write, yet it waits until %s", at)
	}
}

func TestSpecEditsAndRepairsPassAnEmptyBucket(t *testing.T) {
	m, in := aMemory(t, "192.0.2.1/32")
	for range addressBurst {
		m.paceOf(in, update("192.0.2.2/32"), testNow)
	}
	in.policy.Generation = 2
	if at := m.paceOf(in, update("192.0.2.2/32"), testNow); !at.IsZero() {
		t.Errorf("an edit of the spec waits until %s", at)
	}
	in.policy.Generation = 1
	in.live[0] = networkPolicy("0.0.0.0/0") // somebody opened it
	if at := m.paceOf(in, update("192.0.2.1/32"), testNow); !at.IsZero() {
		t.Errorf("a repair waits until %s", at)
	}
	in.live = nil // somebody deleted it
	if at := m.paceOf(in, update("192.0.2.1/32"), testNow); !at.IsZero() {
		t.Errorf("a repair of a deleted one waits until %s", at)
	}
}

func TestInvariant7_ContestedRepairsSlowDownButNewAddressesDoNot(t *testing.T) {
	m, in := aMemory(t, "192.0.2.1/32")
	in.live[0] = networkPolicy("0.0.0.0/0")
	for range contestedAfter {
		m.contest.repaired("web-fqdn", testNow)
	}
	if at, want := m.paceOf(in, update("192.0.2.1/32"), testNow), testNow.Add(contestedPace); !at.Equal(want) {
		t.Errorf("next repair at %s, want %s", at, want)
	}
	if at := m.paceOf(in, update("192.0.2.9/32"), testNow.Add(time.Second)); !at.IsZero() {
		t.Errorf("a new address waits until %s", at)
	}
}

func TestInvariant10_ContestAndNewAddressesTogetherPassTheBucket(t *testing.T) {
	m, in := aMemory(t, "192.0.2.1/32")
	in.live[0] = networkPolicy("0.0.0.0/0")
	for range contestedAfter {
		m.contest.repaired("web-fqdn", testNow)
	}
	for i := range addressBurst {
		if at := m.paceOf(in, update("192.0.2.9/32"), testNow); !at.IsZero() {
			t.Fatalf("write %d has to wait until %s", i, at)
		}
	}
	if at := m.paceOf(in, update("192.0.2.9/32"), testNow); at.IsZero() {
		t.Error("somebody who keeps changing the object makes address writes free")
	}
}

func TestMemoryIsOfOnePolicyNotOfOneName(t *testing.T) {
	var ms memories
	sights := 0
	see := func(uid types.UID, now time.Time) *memory {
		policy := &v1alpha1.FQDNEgressPolicy{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "shop", UID: uid}}
		m := ms.of(policy, now)
		m.look("", func() netpol.Carried { sights++; return netpol.Carried{Since: now} })
		return m
	}
	first := see("first", testNow)
	if again := see("first", testNow.Add(time.Second)); again != first || sights != 1 {
		t.Errorf("the second sight is a first one again (%d)", sights)
	}
	first.look("10.0.0.53:53", func() netpol.Carried { sights++; return netpol.Carried{} })
	if sights != 2 {
		t.Errorf("with other servers to ask, what is written was not looked at (%d)", sights)
	}
	if other := see("recreated", testNow); other == first || sights != 3 {
		t.Errorf("the memory of a deleted policy went to its namesake (%d first sights)", sights)
	}
}
