// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fqdn-egress/fqdn-egress/test/given"
)

// rotating is a name with one current address and one that is due at a time.
func rotating(due time.Time) Name {
	n := answered("192.0.2.1")
	n.Addresses = append(n.Addresses, Address{Addr: given.Addrs("192.0.2.2")[0], Until: due})
	return n
}

func TestLingering(t *testing.T) {
	due := start()
	tests := map[string]struct {
		now  time.Time
		edit func(*Input)
		want []string
		next time.Time
	}{
		"before its time":      {due.Add(-1), nil, []string{"192.0.2.1", "192.0.2.2"}, due},
		"at its time it stays": {due, nil, []string{"192.0.2.1", "192.0.2.2"}, due.Add(Linger)},
		"up to 30 seconds":     {due.Add(Linger - 1), nil, []string{"192.0.2.1", "192.0.2.2"}, due.Add(Linger)},
		"then it goes":         {due.Add(Linger), nil, []string{"192.0.2.1"}, time.Time{}},
		"an addition takes it along": {due, func(in *Input) {
			in.Names = namesOf(t, map[string]Name{"a.example.com": rotating(due), "b.example.com": answered("192.0.2.9")})
		}, []string{"192.0.2.1", "192.0.2.9"}, time.Time{}},
		"a removal takes it along": {due, func(in *Input) {
			n := rotating(due)
			n.Addresses = n.Addresses[1:]
			in.Names = namesOf(t, map[string]Name{"a.example.com": n})
		}, nil, time.Time{}},
		"drift takes it along": {due, func(in *Input) { in.Live[0].Labels = nil }, []string{"192.0.2.1"}, time.Time{}},
		"another reason keeps it": {due.Add(Linger), func(in *Input) {
			in.Names = namesOf(t, map[string]Name{"a.example.com": rotating(due), "b.example.com": answered("192.0.2.2")})
		}, []string{"192.0.2.1", "192.0.2.2"}, time.Time{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in := input(policy(on(to("a.example.com", "b.example.com"), tcp(443))), namesOf(t, map[string]Name{"a.example.com": rotating(due)}))
			objects := cluster{}
			objects.run(t, in, due.Add(-time.Minute))
			in.Live = objects.list()
			if tt.edit != nil {
				tt.edit(&in)
			}
			plan := Compile(in, tt.now)
			for _, s := range plan.Steps {
				objects.apply(t, s)
			}
			if diff := cmp.Diff(tt.want, objects.peersOf(https, in.DNS)); diff != "" {
				t.Errorf("peers (-want +got):\n%s", diff)
			}
			if !plan.Next.Equal(tt.next) {
				t.Errorf("Next = %v, want %v", plan.Next, tt.next)
			}
		})
	}
}

func TestDueAddressIsNotAdded(t *testing.T) {
	in := input(policy(on(to("a.example.com"), tcp(443)), on(to("b.example.com"), tcp(22))),
		namesOf(t, map[string]Name{"a.example.com": rotating(start())}))
	objects := cluster{}
	objects.run(t, in, start())
	if diff := cmp.Diff([]string{"192.0.2.1"}, objects.peersOf(https, in.DNS)); diff != "" {
		t.Errorf("peers (-want +got):\n%s", diff)
	}
	// Live in another rule does not count.
	in.Names = namesOf(t, map[string]Name{"a.example.com": rotating(start()), "b.example.com": answered("192.0.2.2")})
	objects.run(t, in, start())
	if diff := cmp.Diff([]string{"192.0.2.1"}, objects.peersOf(https, in.DNS)); diff != "" {
		t.Errorf("peers (-want +got):\n%s", diff)
	}
}

func TestAllowedListsWhatLingersForEachPattern(t *testing.T) {
	in := input(policy(on(to("a.example.com", "b.example.com"), tcp(443))),
		namesOf(t, map[string]Name{"a.example.com": rotating(start()), "b.example.com": answered("192.0.2.1")}))
	objects := cluster{}
	objects.run(t, in, start().Add(-time.Second))
	in.Live = objects.list()
	plan := Compile(in, start())
	for name, want := range map[string][]string{"a.example.com": {"192.0.2.1", "192.0.2.2"}, "b.example.com": {"192.0.2.1"}} {
		if diff := cmp.Diff(given.Addrs(want...), plan.Allowed[given.Pattern(t, name)], addrComparer()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if plan.AddressCount != 2 || len(plan.Steps) > 0 {
		t.Errorf("AddressCount = %d, steps %v", plan.AddressCount, stepNames(plan.Steps))
	}
}

func TestDueAddressThatIsNotLiveEndsNoLingering(t *testing.T) {
	in := input(policy(on(to("a.example.com"), tcp(443))), namesOf(t, map[string]Name{"a.example.com": rotating(start())}))
	objects := cluster{}
	objects.run(t, in, start().Add(-time.Second))
	n := rotating(start())
	n.Addresses = append(n.Addresses, Address{Addr: given.Addrs("192.0.2.3")[0], Until: start()})
	in.Names, in.Live = namesOf(t, map[string]Name{"a.example.com": n}), objects.list()
	if plan := Compile(in, start()); len(plan.Steps) > 0 || plan.AddressCount != 2 {
		t.Errorf("steps %v, AddressCount = %d", stepNames(plan.Steps), plan.AddressCount)
	}
}

func TestLingeringGivesWayWhereRoomIsNeeded(t *testing.T) {
	due := answered("192.0.2.1")
	due.Addresses[0].Until = start()
	in := input(policy(on(to("a.example.com"), tcp(443))), namesOf(t, map[string]Name{"a.example.com": due}))
	in.MaxPeers, in.MaxObjects = 3, 1 // two are for DNS
	objects := cluster{}
	objects.run(t, in, start().Add(-time.Second))
	due.Addresses = append(due.Addresses, Address{Addr: given.Addrs("192.0.2.2")[0], Until: start().Add(time.Hour)})
	in.Names = namesOf(t, map[string]Name{"a.example.com": due})
	plan := objects.run(t, in, start())
	if diff := cmp.Diff([]string{"192.0.2.2"}, objects.peersOf(https, in.DNS)); diff != "" || plan.LeftOut != 0 {
		t.Errorf("LeftOut = %d, peers (-want +got):\n%s", plan.LeftOut, diff)
	}
}
