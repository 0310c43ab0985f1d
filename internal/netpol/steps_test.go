// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
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
	before := cluster{"web-fqdn-1": objects["web-fqdn-1"]}.peersOf("TCP/80", DNS{})
	in.Policy.Spec.Egress[0].Ports = []v1alpha1.EgressPort{tcp(443), tcp(80)}
	objects.run(t, in, start())
	if diff := cmp.Diff(before, cluster{"web-fqdn-1": objects["web-fqdn-1"]}.peersOf("TCP/80,TCP/443", DNS{})); diff != "" {
		t.Errorf("web-fqdn-1 (-want +got):\n%s", diff)
	}
}

func TestChangesThatWaitForEachOtherGoByWayOfTheUnion(t *testing.T) {
	// Each object holds, in a range of ports, what the other is to hold at the one port of the range that stays allowed.
	address := func(s string) []networkingv1.NetworkPolicyPeer {
		return []networkingv1.NetworkPolicyPeer{addressPeer(addrs(s)[0])}
	}
	wide, _ := canonicalPorts([]networkingv1.NetworkPolicyPort{npPort("TCP", 440, 450)})
	narrow, _ := canonicalPorts([]networkingv1.NetworkPolicyPort{npPort("TCP", 443, 0)})
	spec := func(ports []networkingv1.NetworkPolicyPort, a string) *networkingv1.NetworkPolicySpec {
		return &networkingv1.NetworkPolicySpec{Egress: []networkingv1.NetworkPolicyEgressRule{{Ports: ports, To: address(a)}}}
	}
	first, second := owned("web-fqdn"), owned("web-fqdn-1")
	first.Spec, second.Spec = *spec(wide, "192.0.2.1"), *spec(wide, "192.0.2.2")
	c := &compilation{in: input(policy(), nil).withDefaults(), live: &live{
		objects: []*networkingv1.NetworkPolicy{first, second}, foreign: make([]bool, 2),
	}}
	steps := c.steps([]*networkingv1.NetworkPolicySpec{spec(narrow, "192.0.2.2"), spec(narrow, "192.0.2.1")})
	if diff := cmp.Diff([]string{"update web-fqdn", "update web-fqdn-1", "update web-fqdn"}, stepNames(steps)); diff != "" {
		t.Fatalf("steps (-want +got):\n%s", diff)
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

func TestStraysOfOursAreDeletedAndCopiesOfAUserAreNot(t *testing.T) {
	stray, copied, beyond, going := owned("stray"), owned("copy"), owned("web-fqdn-20"), owned("going")
	copied.OwnerReferences = nil
	going.DeletionTimestamp = &metav1.Time{Time: start()}
	in := input(policy(), nil)
	objects := cluster{}
	objects.run(t, in, start())
	in.Live = append(objects.list(), *stray, *copied, *beyond, *going)
	plan := Compile(in, start())
	if diff := cmp.Diff([]string{"delete stray", "delete web-fqdn-20"}, stepNames(plan.Steps)); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

func TestAuditDeletesOursAndStillReports(t *testing.T) {
	in, objects := spread(t, tcp(443))
	in.Policy.Spec.Mode = v1alpha1.ModeAudit
	plan := objects.run(t, in, start())
	if len(objects) != 0 || len(plan.Objects) != 0 {
		t.Errorf("left: %v, Objects %v", objects, plan.Objects)
	}
	if got := plan.Allowed[pattern(t, "a.example.com")]; len(got) != 4 || plan.AddressCount != 4 {
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
	in.Carried = CarriedFrom(in.Live, in.DNS, start())
	policyBefore, liveBefore, namesBefore := in.Policy.DeepCopy(), objects.list(), namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.9", "127.0.0.1", "192.0.2.2")})
	for _, s := range Compile(in, start()).Steps {
		for i := range s.Object.Spec.Egress {
			*s.Object.Spec.Egress[i].Ports[0].Protocol = "SCTP" // steps share no memory
		}
		s.Object.Spec.PodSelector.MatchLabels["app"] = "changed"
	}
	if diff := cmp.Diff(policyBefore, in.Policy); diff != "" {
		t.Errorf("the policy changed:\n%s", diff)
	}
	if diff := cmp.Diff(liveBefore, in.Live); diff != "" {
		t.Errorf("the live objects changed:\n%s", diff)
	}
	if diff := cmp.Diff(namesBefore, in.Names, addrComparer(), cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })); diff != "" {
		t.Errorf("the names changed:\n%s", diff)
	}
}
