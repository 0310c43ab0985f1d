// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Of a full tenant: what it has stays, follows what is answered, and the peers that must be there do not wait for room.
func TestRoom_OfNone(t *testing.T) {
	in := input(policy(on(to("a.example.com"), tcp(443))), namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.1", "192.0.2.2")}))
	in.Room = new(0)
	objects := cluster{}
	dns := len(in.DNS.rules()[0].Spec)
	for _, step := range []struct {
		what   string
		edit   func()
		peers  []string
		noRoom int
	}{
		{"a new policy", func() {}, nil, 2},
		{"it gets room for both", func() { in.Room = new(2) }, []string{"192.0.2.1", "192.0.2.2"}, 0},
		{"a third address", func() {
			in.Room = new(0)
			in.Names = namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.1", "192.0.2.2", "192.0.2.3")})
		}, []string{"192.0.2.1", "192.0.2.2"}, 1},
		{"both have moved", func() {
			in.Names = namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.3", "192.0.2.4", "192.0.2.5")})
		}, []string{"192.0.2.3", "192.0.2.4"}, 1},
		{"the spec lists a block", func() {
			r := on(to("a.example.com"), tcp(443))
			r.To = append(r.To, block("198.51.100.0/24"))
			in.Policy = policy(r)
		}, []string{"192.0.2.3", "192.0.2.4"}, 1},
		{"a start, before any answer", func() {
			in.Carried = CarriedFrom(in.Policy, nil, objects.list(), in.DNS, start())
			in.Names = nil
		}, []string{"192.0.2.3", "192.0.2.4"}, 0},
	} {
		step.edit()
		plan := objects.run(t, in, start())
		if diff := cmp.Diff(step.peers, objects.peersOf(https, in.DNS)); diff != "" || plan.NoRoom != step.noRoom || plan.LeftOut != 0 {
			t.Errorf("%s: NoRoom %d, LeftOut %d, peers (-want +got):\n%s", step.what, plan.NoRoom, plan.LeftOut, diff)
		}
		if plan.Peers != objects.peers() || plan.Peers < dns {
			t.Errorf("%s: Peers %d, there are %d", step.what, plan.Peers, objects.peers())
		}
	}
}

// What is live at other ports is no claim to more: a tenant must not grow by editing.
func TestRoom_BlocksOfTheSpecAreNoRoomForNames(t *testing.T) {
	r := on(to("a.example.com"), tcp(443))
	r.To = append(r.To, block("198.51.100.1/32"), block("198.51.100.2/32"))
	in := input(policy(r), namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.1", "192.0.2.2")}))
	in.Room = new(0)
	objects := cluster{}
	for range 3 {
		if plan := objects.run(t, in, start()); plan.NoRoom != 2 {
			t.Errorf("NoRoom = %d", plan.NoRoom)
		}
	}
}

func TestProperty_Room(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		objects := cluster{}
		now := start()
		for range rapid.IntRange(1, 4).Draw(t, "rounds") {
			in := drawInput(t, now)
			drift(t, objects)
			in.Live = objects.list()
			free := Compile(in, now)
			in.Room = new(rapid.IntRange(0, 12).Draw(t, "room"))
			plan := Compile(in, now)
			before := objects.peers()
			after := checkSteps(t, objects, plan.Steps)
			if plan.Peers != after.peers() {
				t.Fatalf("Peers = %d, there are %d", plan.Peers, after.peers())
			}
			if plan.LeftOut != free.LeftOut || plan.Peers > free.Peers || plan.NoRoom == 0 && plan.Peers < free.Peers {
				t.Fatalf("with room for %d: %d peers, %d left out, no room for %d; without a limit %d and %d", *in.Room, plan.Peers, plan.LeftOut, plan.NoRoom, free.Peers, free.LeftOut)
			}
			if plan.NoRoom > 0 && !in.Policy.Audit && plan.Peers < before+*in.Room {
				t.Fatalf("no room for %d, and %d peers are fewer than %d and %d more", plan.NoRoom, plan.Peers, before, *in.Room)
			}
			in.Live, in.Room = after.list(), new(max(before+*in.Room-plan.Peers, 0))
			if again := Compile(in, now); len(again.Steps) > 0 {
				t.Fatalf("the second plan is not empty: %v", stepNames(again.Steps))
			}
			objects = after
			now = now.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "seconds")) * time.Second)
		}
	})
}
