// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

func TestChangesThatWaitForEachOtherGoByABridge(t *testing.T) {
	// Each object holds, in a range of ports, what the other is to hold at the one port of the range that stays allowed.
	wide, narrow := portsFrom([]networkingv1.NetworkPolicyPort{npPort("TCP", 440, 450)}), portsFrom([]networkingv1.NetworkPolicyPort{npPort("TCP", 443, 0)})
	want := func(ports *Ports, a string) *object {
		return &object{rules: []RuleGrants{{Ports: *ports, Names: []Grant{{Ports: ports, Addr: given.Addrs(a)[0]}}}}}
	}
	p := policy()
	first, second := owned("web-fqdn"), owned("web-fqdn-1")
	first.Spec, second.Spec = specOf(want(&wide, "192.0.2.1"), &p.PodSelector), specOf(want(&wide, "192.0.2.2"), &p.PodSelector)
	have := live{objects: []liveObject{readObject(first, 0, nil), readObject(second, 1, nil)}}
	steps := steps(&p, []*object{want(&narrow, "192.0.2.2"), want(&narrow, "192.0.2.1")}, &have)
	if diff := cmp.Diff([]string{"update web-fqdn", "update web-fqdn-1", "update web-fqdn"}, stepNames(steps)); diff != "" {
		t.Fatalf("steps (-want +got):\n%s", diff)
	}
	if n := len(steps[0].Object.Spec.Egress); n != 1 {
		t.Errorf("the bridge has %d rules of the same ports", n)
	}
	objects := cluster{"web-fqdn": *first, "web-fqdn-1": *second}
	for i, s := range steps {
		objects.apply(t, s)
		got := allowed(objects)
		if !got[packet{"192.0.2.1", "TCP", 443}] || !got[packet{"192.0.2.2", "TCP", 443}] {
			t.Errorf("after step %d an address is blocked", i)
		}
	}
	if got := allowed(objects); got[packet{"192.0.2.1", "TCP", 450}] || got[packet{"192.0.2.2", "TCP", 450}] {
		t.Error("the old ports are allowed in the end")
	}
	if n := len(objects["web-fqdn"].Spec.Egress[0].To); n != 1 {
		t.Errorf("web-fqdn has %d peers in the end, want 1", n)
	}
}

func TestStepsExamples(t *testing.T) {
	ports := portsFrom([]networkingv1.NetworkPolicyPort{npPort("TCP", 443, 0)})
	lists := func(text string) (lists [][]string) {
		for part := range strings.SplitSeq(text, "] [") {
			lists = append(lists, long(strings.Trim(part, "[]")))
		}
		return lists
	}
	for _, line := range []string{
		"[.1]              [.2]              update 0",
		"[.1] [.2]         [.1 .2]           update 0, delete 1",
		"[.1 .2]           [.1] [.2]         create 1, update 0",
		"[.1 .2] [.3]      [.1] [.3 .4]      update 1, update 0",
		"[.1 .2] [.3 .4]   [.1 .3] [.2 .4]   update 0, update 1, update 0",
	} {
		t.Run(line, func(t *testing.T) {
			isInComment(t, "steps.go", line)
			p, columns := policy(), regexp.MustCompile(`  +`).Split(line, 3)
			have, objects := live{}, cluster{}
			for i, list := range lists(columns[0]) {
				np := withPeers(p.ObjectName(i), https, list)
				have.objects = append(have.objects, readObject(np, i, nil))
				objects[np.Name] = *np
			}
			var want []*object
			for _, list := range lists(columns[1]) {
				names := []Grant{}
				for _, a := range given.Addrs(list...) {
					names = append(names, Grant{Ports: &ports, Addr: a})
				}
				want = append(want, &object{rules: []RuleGrants{{Ports: ports, Names: names}}})
			}
			steps, before := steps(&p, want, &have), allowed(objects)
			var got []string
			for _, s := range steps {
				objects.apply(t, s)
				i, _ := p.indexOf(s.Object.Name)
				got = append(got, fmt.Sprintf("%s %d", s.Verb, i))
				for _, list := range lists(columns[1]) {
					for _, a := range list {
						if at := (packet{a, "TCP", 443}); before[at] && !allowed(objects)[at] {
							t.Errorf("%s is blocked after %v", a, got)
						}
					}
				}
			}
			if text := strings.Join(got, ", "); text != columns[2] {
				t.Errorf("steps %s, want %s", text, columns[2])
			}
			for i, list := range lists(columns[1]) {
				if got := (cluster{"x": objects[p.ObjectName(i)]}).peersOf(https, DNS{}); !slices.Equal(got, list) {
					t.Errorf("object %d has %v in the end", i, got)
				}
			}
		})
	}
}

func TestStepSize(t *testing.T) {
	for _, tt := range []struct {
		first   netip.Addr
		perPeer int // bytes
	}{{netip.MustParseAddr("198.18.100.100"), 24}, {netip.MustParseAddr("2001:db8:1111:2222:3333:4444:5555:1000"), 49}} {
		name, a := answered(), tt.first
		for range 1000 {
			name.Addresses, a = append(name.Addresses, Address{Addr: a, Current: true}), a.Next()
		}
		in := input(policy(on(to("a.example.com"), tcp(443))), namesOf(t, map[string]Name{"a.example.com": name}))
		in.MaxPeers = 2000
		step := Compile(in, start()).Steps[0]
		stored, err := step.Object.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if step.Size() != len(stored) {
			t.Errorf("Size = %d, stored %d", step.Size(), len(stored))
		}
		without := Step{Verb: Update, Object: step.Object.DeepCopy()}
		without.Object.Annotations = nil
		if got := without.Size() / 1000; got < tt.perPeer-2 || got > tt.perPeer {
			t.Errorf("%d bytes a peer, want about %d", got, tt.perPeer)
		}
		if size := (Step{Verb: Delete, Object: step.Object}).Size(); size != 0 {
			t.Errorf("a delete writes %d bytes", size)
		}
		t.Logf("%d bytes with the annotation, %d without", step.Size(), without.Size())
	}
}

func TestBridgeSparesTheDNSRule(t *testing.T) {
	dns := input(policy(), nil).DNS.rules()
	o, ports := &object{rules: dns, leads: len(dns)}, portsFrom(dns[0].Ports.List)
	for _, want := range []int{1, 2} {
		o = o.with([]Grant{{Ports: &ports, Addr: given.Addrs("8.8.8.8")[0]}})
		egress := egressOf(o.rules)
		if len(egress) != 2 || len(egress[0].To) != 2 || len(egress[1].To) != want {
			t.Fatalf("rules: %v", egress)
		}
	}
}

func TestAdditionsGoFirstAcrossObjects(t *testing.T) {
	in, objects := spread(t, tcp(443))
	// Somebody added a peer to the first and deleted the second.
	np := objects["web-fqdn"]
	np.Spec.Egress[1].To = append(np.Spec.Egress[1].To, addressPeer(given.Addrs("192.0.2.7")[0]))
	objects["web-fqdn"] = np
	delete(objects, "web-fqdn-1")
	plan := objects.run(t, in, start())
	if diff := cmp.Diff([]string{"create web-fqdn-1", "update web-fqdn"}, stepNames(plan.Steps)); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

func TestTerminatingObjectIsNotDeletedAgain(t *testing.T) {
	in, objects := spread(t, tcp(443))
	np := objects["web-fqdn-1"]
	np.DeletionTimestamp = &metav1.Time{Time: start()}
	in.Names = namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.1", "192.0.2.2")})
	in.Live = []networkingv1.NetworkPolicy{objects["web-fqdn"], np}
	if plan := Compile(in, start()); len(plan.Steps) > 0 {
		t.Errorf("steps = %v", stepNames(plan.Steps))
	}
}

func TestStraysOfOursAreDeletedAndCopiesOfAUserAreNot(t *testing.T) {
	stray, copied, beyond, going := owned("stray"), owned("copy"), owned("web-fqdn-100"), owned("going")
	copied.OwnerReferences = nil
	going.DeletionTimestamp = &metav1.Time{Time: start()}
	in := input(policy(), nil)
	objects := cluster{}
	objects.run(t, in, start())
	in.Live = append(objects.list(), *stray, *copied, *beyond, *going)
	plan := Compile(in, start())
	if diff := cmp.Diff([]string{"delete stray", "delete web-fqdn-100"}, stepNames(plan.Steps)); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

func TestAuditDeletesOursAndStillReports(t *testing.T) {
	in, objects := spread(t, tcp(443))
	in.Policy.Audit = true
	plan := objects.run(t, in, start())
	if len(objects) != 0 || len(plan.Objects) != 0 {
		t.Errorf("left: %v, Objects %v", objects, plan.Objects)
	}
	if got := plan.Allowed[given.Pattern(t, "a.example.com")]; len(got) != 4 || plan.AddressCount != 4 {
		t.Errorf("Allowed = %v, AddressCount = %d", got, plan.AddressCount)
	}
	in.Live = []networkingv1.NetworkPolicy{{ObjectMeta: metav1.ObjectMeta{Name: "web-fqdn", Namespace: "shop"}}}
	in.Names = namesOf(t, map[string]Name{"a.example.com": rotating(start().Add(time.Second))})
	plan = Compile(in, start())
	if len(plan.Steps) != 0 || len(plan.Conflicts) != 0 || plan.AddressCount != 2 || !plan.Next.Equal(start().Add(time.Second)) {
		t.Errorf("plan beside a foreign object: %+v", plan)
	}
	if plan = Compile(in, start().Add(time.Second)); plan.AddressCount != 1 {
		t.Errorf("AddressCount = %d: addresses linger in Audit", plan.AddressCount)
	}
}

func TestCompileChangesNoInput(t *testing.T) {
	in, objects := spread(t, tcp(443))
	in.Names = namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.9", "127.0.0.1", "192.0.2.2")})
	in.Live = objects.list()
	in.Carried = CarriedFrom(in.Policy, nil, in.Live, in.DNS, start())
	policyBefore, liveBefore, namesBefore := policy(on(to("a.example.com"), tcp(443))), objects.list(), namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.9", "127.0.0.1", "192.0.2.2")})
	for _, s := range Compile(in, start()).Steps {
		scribble(s.Object)
	}
	if diff := cmp.Diff(policyBefore, in.Policy, cmp.Comparer(func(a, b fqdn.Pattern) bool { return a == b })); diff != "" {
		t.Errorf("the policy changed:\n%s", diff)
	}
	if diff := cmp.Diff(input(policy(), nil).DNS, in.DNS, addrComparer()); diff != "" {
		t.Errorf("the DNS facts changed:\n%s", diff)
	}
	if diff := cmp.Diff(liveBefore, in.Live); diff != "" {
		t.Errorf("the live objects changed:\n%s", diff)
	}
	if diff := cmp.Diff(namesBefore, in.Names, addrComparer(), cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })); diff != "" {
		t.Errorf("the names changed:\n%s", diff)
	}
}

func TestStepsShareNoMemory(t *testing.T) {
	in, objects := spread(t, tcp(443))
	for name, live := range map[string]cluster{"created": {}, "updated": objects} {
		t.Run(name, func(t *testing.T) {
			in := in
			in.Live = live.list()
			in.Policy = policy(on(to("a.example.com"), tcp(80)))
			steps, want := Compile(in, start()).Steps, Compile(in, start()).Steps
			if len(steps) != 2 {
				t.Fatalf("steps = %v", stepNames(steps))
			}
			scribble(steps[0].Object)
			if diff := cmp.Diff(want[1], steps[1]); diff != "" {
				t.Errorf("the second step changed with the first:\n%s", diff)
			}
		})
	}
}

// scribble writes over what np points to.
func scribble(np *networkingv1.NetworkPolicy) {
	np.Spec.PodSelector.MatchLabels["app"] = "scribble"
	for i := range np.Spec.Egress {
		r := &np.Spec.Egress[i]
		*r.Ports[0].Protocol = "SCTP"
		for j := range r.To {
			if r.To[j].IPBlock != nil {
				r.To[j].IPBlock.CIDR = "0.0.0.0/0"
			} else {
				r.To[j].PodSelector.MatchLabels["k8s-app"] = "scribble"
			}
		}
	}
}
