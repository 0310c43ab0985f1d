// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

// spread is a policy whose four addresses stand in two objects.
func spread(t *testing.T, ports ...v1alpha1.EgressPort) (Input, cluster) {
	in := input(policy(on(to("a.example.com"), ports...)), namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4")}))
	in.MaxPeers = 4
	objects := cluster{}
	plan := objects.run(t, in, start())
	if diff := cmp.Diff([]string{"create web-fqdn", "create web-fqdn-1"}, stepNames(plan.Steps)); diff != "" {
		t.Fatalf("steps (-want +got):\n%s", diff)
	}
	return in, objects
}

func inObject(objects cluster, name string) []string {
	return cluster{name: objects[name]}.peersOf(https, DNS{})
}

func TestPeersDoNotMove(t *testing.T) {
	in, objects := spread(t, tcp(443))
	// One goes from the first object; the room is for the next new one, and the others stay.
	in.Names = namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.2", "192.0.2.3", "192.0.2.4")})
	plan := objects.run(t, in, start())
	if diff := cmp.Diff([]string{"update web-fqdn"}, stepNames(plan.Steps)); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	in.Names = namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.0", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.9")})
	objects.run(t, in, start())
	if diff := cmp.Diff([]string{"192.0.2.0", "192.0.2.2"}, inObject(objects, "web-fqdn")); diff != "" {
		t.Errorf("web-fqdn (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"192.0.2.3", "192.0.2.4", "192.0.2.9"}, inObject(objects, "web-fqdn-1")); diff != "" {
		t.Errorf("web-fqdn-1 (-want +got):\n%s", diff)
	}
}

func TestEditOfPortsMovesNothing(t *testing.T) {
	in, objects := spread(t, tcp(80))
	in.Names = namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.2", "192.0.2.3", "192.0.2.4")}) // the first gets room
	objects.run(t, in, start())
	before := cluster{"web-fqdn-1": objects["web-fqdn-1"]}.peersOf("TCP/80", DNS{})
	in.Policy = policy(on(to("a.example.com"), tcp(443), tcp(80)))
	objects.run(t, in, start())
	if diff := cmp.Diff(before, cluster{"web-fqdn-1": objects["web-fqdn-1"]}.peersOf("TCP/80,TCP/443", DNS{})); diff != "" {
		t.Errorf("web-fqdn-1 (-want +got):\n%s", diff)
	}
}

// TestLargeObjectOfAnOlderVersionStays: it held up to 5,000 peers. Nothing is written at the upgrade, what is new goes to
// another object, and the large one is only written for what leaves it.
func TestLargeObjectOfAnOlderVersionStays(t *testing.T) {
	name := given.Pattern(t, "a.example.com")
	in := input(policy(on(to("a.example.com"), tcp(443))), map[fqdn.Pattern]Name{name: many(4998)})
	in.MaxPeers = 5000
	objects := cluster{}
	objects.run(t, in, start())
	in.MaxPeers = 0
	restarted := in
	restarted.Names = nil
	restarted.Carried = CarriedFrom(in.Policy, nil, objects.list(), in.DNS, start())
	if plan := objects.run(t, restarted, start()); len(plan.Steps) > 0 || plan.LeftOut > 0 {
		t.Errorf("a start writes %v, left out %d", stepNames(plan.Steps), plan.LeftOut)
	}
	more, less := many(4999), many(4999)
	less.Addresses = less.Addresses[1:]
	for _, tt := range []struct {
		name  Name
		steps []string
		peers []int
	}{
		{many(4998), nil, []int{5000}},
		{more, []string{"create web-fqdn-1"}, []int{5000, 1}},
		{less, []string{"update web-fqdn"}, []int{4999, 1}},
		{many(900), []string{"update web-fqdn", "delete web-fqdn-1"}, []int{902}},
	} {
		in.Names = map[fqdn.Pattern]Name{name: tt.name}
		plan := objects.run(t, in, start())
		if diff := cmp.Diff(tt.steps, stepNames(plan.Steps)); diff != "" {
			t.Errorf("%d addresses: steps (-want +got):\n%s", len(tt.name.Addresses), diff)
		}
		var peers []int
		for _, np := range objects.list() {
			peers = append(peers, countPeers(&np))
		}
		if diff := cmp.Diff(tt.peers, peers); diff != "" {
			t.Errorf("%d addresses: peers of the objects (-want +got):\n%s", len(tt.name.Addresses), diff)
		}
	}
}

// full is a policy whose only object has room for two addresses, both there.
func full(t *testing.T) (Input, cluster) {
	in := input(policy(on(to("a.example.com"), tcp(443))), namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.5", "192.0.2.6")}))
	in.MaxPeers, in.MaxObjects = 4, 1
	objects := cluster{}
	objects.run(t, in, start())
	return in, objects
}

func TestNewAddressDoesNotPushOutACurrentOne(t *testing.T) {
	in, objects := full(t)
	in.Names = namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.1", "192.0.2.5", "192.0.2.6")})
	if plan := objects.run(t, in, start()); len(plan.Steps) > 0 || plan.LeftOut != 1 {
		t.Errorf("steps %v, LeftOut = %d", stepNames(plan.Steps), plan.LeftOut)
	}
}

func TestNewAddressPushesOutARetainedOne(t *testing.T) {
	in, objects := full(t)
	n := answered("192.0.2.5", "192.0.2.6", "192.0.2.7")
	n.Addresses[0].Current = false
	in.Names = namesOf(t, map[string]Name{"a.example.com": n})
	plan := objects.run(t, in, start())
	if diff := cmp.Diff([]string{"192.0.2.6", "192.0.2.7"}, objects.peersOf(https, in.DNS)); diff != "" || plan.LeftOut != 1 {
		t.Errorf("LeftOut = %d, peers (-want +got):\n%s", plan.LeftOut, diff)
	}
}

func TestAddressThatTheSpecListsTakesNoRoomTwice(t *testing.T) {
	in, objects := full(t)
	r := on(to("a.example.com"), tcp(443))
	r.To = append(r.To, block("192.0.2.5/32"))
	in.Policy = policy(r)
	plan := objects.run(t, in, start())
	if plan.LeftOut != 0 || plan.AddressCount != 2 {
		t.Errorf("LeftOut = %d, AddressCount = %d", plan.LeftOut, plan.AddressCount)
	}
	if diff := cmp.Diff([]string{"192.0.2.5", "192.0.2.6"}, objects.peersOf(https, in.DNS)); diff != "" {
		t.Errorf("peers (-want +got):\n%s", diff)
	}
}

func TestRulesListEachPatternOnce(t *testing.T) {
	rules := mergeRules(policy(on(to("a.example.com", "b.example.com", "A.Example.com."), tcp(443)), on(to("b.example.com"), tcp(443))).Rules)
	if len(rules) != 1 || !slices.Equal(rules[0].patterns, []fqdn.Pattern{given.Pattern(t, "a.example.com"), given.Pattern(t, "b.example.com")}) {
		t.Errorf("rules = %+v", rules)
	}
}
