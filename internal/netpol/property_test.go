// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	"pgregory.net/rapid"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// TestCompileProperties drives random inputs against random live objects: those of former inputs, sometimes of a former
// plan that was cut short, sometimes edited by hand.
func TestCompileProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		objects := cluster{}
		now := start()
		for range rapid.IntRange(1, 5).Draw(t, "rounds") {
			in := drawInput(t, now)
			drift(t, objects)
			in.Live = objects.list()
			plan := Compile(in, now)
			after := checkSteps(t, objects, plan.Steps)
			checkResult(t, in, after, plan, now)
			checkPlaces(t, in, objects, after)
			checkNext(t, in, plan, now)

			done := len(plan.Steps)
			if rapid.IntRange(0, 3).Draw(t, "cut") == 0 {
				done = rapid.IntRange(0, done).Draw(t, "done")
			}
			for _, s := range plan.Steps[:done] {
				objects.apply(t, s)
			}
			now = now.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "seconds")) * time.Second)
		}
	})
}

// checkSteps carries the steps out on a copy: what is allowed before and after is allowed at each instant between
// (invariant 3), no step opens what neither state allows, and each object fails closed (invariant 1).
func checkSteps(t *rapid.T, objects cluster, steps []Step) cluster {
	states := []cluster{objects.clone()}
	deleting := false
	for _, s := range steps {
		if deleting && s.Verb != Delete {
			t.Fatalf("%s of %s after a delete", s.Verb, s.Object.Name)
		}
		deleting = s.Verb == Delete
		if s.Verb != Delete {
			checkFailsClosed(t, s.Object)
		}
		next := states[len(states)-1].clone()
		next.apply(t, s)
		states = append(states, next)
	}
	before, after := allowed(states[0]), allowed(states[len(states)-1])
	for i, state := range states {
		at := allowed(state)
		for _, p := range everyPacket() {
			if before[p] && after[p] && !at[p] {
				t.Fatalf("after step %d of %v %v is not allowed", i, stepNames(steps), p)
			}
			if at[p] && !before[p] && !after[p] {
				t.Fatalf("after step %d of %v %v is allowed", i, stepNames(steps), p)
			}
		}
	}
	return states[len(states)-1]
}

func checkFailsClosed(t *rapid.T, np *networkingv1.NetworkPolicy) {
	if !slices.Equal(np.Spec.PolicyTypes, []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}) || np.Spec.Ingress != nil {
		t.Fatalf("%s: policyTypes %v, ingress %v", np.Name, np.Spec.PolicyTypes, np.Spec.Ingress)
	}
	for _, r := range np.Spec.Egress {
		if len(r.To) == 0 {
			t.Fatalf("%s: a rule with an empty `to`", np.Name)
		}
	}
}

// checkResult compares what is allowed in the end with what a naive reading of the input allows, and expects of a second
// plan that it does nothing (invariant 5).
func checkResult(t *rapid.T, in Input, after cluster, plan Plan, now time.Time) {
	got, least, most := allowed(after), allowed(naive(in, now, 0)), allowed(naive(in, now, Linger))
	for _, p := range everyPacket() {
		if got[p] && !most[p] {
			t.Fatalf("%v is allowed in the end, by nothing in the input", p)
		}
		if !got[p] && least[p] && plan.LeftOut == 0 {
			t.Fatalf("%v is not allowed in the end", p)
		}
	}
	if !slices.Equal(slices.Sorted(maps.Keys(after)), slices.Sorted(slices.Values(plan.Objects))) {
		t.Fatalf("Objects = %v, there are %v", plan.Objects, slices.Collect(maps.Keys(after)))
	}
	in.Live = after.list()
	if again := Compile(in, now); len(again.Steps) > 0 {
		t.Fatalf("the second plan is not empty: %v", stepNames(again.Steps))
	}
}

// checkPlaces: no object gets more than it may hold, but what it has already stays there, also where that is more (an older
// version wrote larger objects); and no address goes to another object, but from one that is given up.
func checkPlaces(t *rapid.T, in Input, before, after cluster) {
	in.Live = before.list()
	was := standingIn(in, before)
	for name, np := range after {
		_, i, _ := NamespacedKind().parse(name)
		n := countPeers(&np)
		if n == 0 && i > 0 {
			t.Fatalf("%s has no peer", name)
		}
		for at := range standingIn(in, cluster{name: np}) {
			if from, stood := was[at]; stood {
				if _, there := after[from]; there && from != name {
					t.Fatalf("%v went from %s to %s", at, from, name)
				}
				if from == name {
					continue
				}
			}
			if n > in.MaxPeers {
				t.Fatalf("%s got %v and has %d peers of %d", name, at, n, in.MaxPeers)
			}
		}
	}
}

// standingIn tells in which object each rule has which address for a name: in the first one that does.
func standingIn(in Input, objects cluster) map[ruleAddr]string {
	out := map[ruleAddr]string{}
	for i := range 100 {
		name := in.Policy.ObjectName(i)
		np, ok := objects[name]
		if !ok || i >= in.MaxObjects {
			continue
		}
		for at := range peersByRule(cluster{name: np}, in) {
			if _, known := out[at]; !known && !isListed(in, at) {
				out[at] = name
			}
		}
	}
	return out
}

// isListed tells whether the spec lists the address itself, so that it stands in the first object.
func isListed(in Input, at ruleAddr) bool {
	return slices.ContainsFunc(in.Policy.Rules, func(r Rule) bool {
		return KeyOf(r.Ports) == at.key && slices.ContainsFunc(r.Peers, func(p networkingv1.NetworkPolicyPeer) bool {
			return p.IPBlock != nil && p.IPBlock.CIDR == addressPeer(at.addr).IPBlock.CIDR
		})
	})
}

func countPeers(np *networkingv1.NetworkPolicy) int {
	n := 0
	for _, r := range np.Spec.Egress {
		n += len(r.To)
	}
	return n
}

// checkNext: until Next the plan stays the same.
func checkNext(t *rapid.T, in Input, plan Plan, now time.Time) {
	if !plan.Next.IsZero() && !plan.Next.After(now) {
		t.Fatalf("Next is %v, now is %v", plan.Next, now)
	}
	later := plan.Next.Add(-time.Nanosecond)
	if plan.Next.IsZero() {
		later = now.Add(1000 * time.Hour)
	}
	other := Compile(in, later)
	if !slices.Equal(stepNames(plan.Steps), stepNames(other.Steps)) || plan.AddressCount != other.AddressCount {
		t.Fatalf("the plan at %v differs from that at %v", later, now)
	}
}

// naive writes one object that allows all that the input says, in rules of its own making.
func naive(in Input, now time.Time, linger time.Duration) cluster {
	np := networkingv1.NetworkPolicy{}
	if in.Policy.Audit {
		return cluster{}
	}
	if in.Policy.ClusterDNS {
		np.Spec.Egress = egressOf(in.DNS.rules())
	}
	for _, r := range in.Policy.Rules {
		peers := slices.Clone(r.Peers)
		for _, p := range r.Patterns {
			for _, a := range in.Names[p].Addresses {
				if a.Until.IsZero() || a.Until.Add(linger).After(now) {
					peers = append(peers, addressPeer(a.Addr))
				}
			}
		}
		if len(peers) > 0 {
			np.Spec.Egress = append(np.Spec.Egress, networkingv1.NetworkPolicyEgressRule{Ports: r.Ports, To: peers})
		}
	}
	np.Spec.Egress = append(np.Spec.Egress, naiveCarried(in, now, linger)...)
	return cluster{"naive": np}
}

// naiveCarried: the carried addresses of a name count until it was answered a retention ago; those of nobody in particular
// until every name of the rule was.
func naiveCarried(in Input, now time.Time, linger time.Duration) []networkingv1.NetworkPolicyEgressRule {
	var out []networkingv1.NetworkPolicyEgressRule
	for key, carried := range in.Carried.Rules {
		var names []fqdn.Pattern
		var rule networkingv1.NetworkPolicyEgressRule
		for _, r := range in.Policy.Rules {
			if KeyOf(r.Ports) == key {
				rule.Ports = r.Ports
				names = append(names, r.Patterns...)
			}
		}
		add := func(list []netip.Addr, names []fqdn.Pattern) {
			if due, ok := lastAnswer(in, names, now); ok && due.Add(time.Minute+linger).After(now) {
				for _, a := range list {
					rule.To = append(rule.To, addressPeer(a))
				}
			}
		}
		add(carried.Unknown, names)
		for p, list := range carried.Of {
			if slices.Contains(names, p) {
				add(list, []fqdn.Pattern{p})
			}
		}
		if len(rule.To) > 0 {
			out = append(out, rule)
		}
	}
	return out
}

// lastAnswer returns when the last of the exact names was answered (in an hour, of one that was not), at the earliest when
// what was carried was seen, and not ok where no name is listed.
func lastAnswer(in Input, names []fqdn.Pattern, now time.Time) (last time.Time, ok bool) {
	exact := slices.DeleteFunc(slices.Clone(names), func(p fqdn.Pattern) bool { return p.String()[0] == '*' })
	if last = in.Carried.Since; len(exact) == 0 {
		return last, len(names) > 0
	}
	for _, name := range exact {
		n := in.Names[name]
		if n.Answered.IsZero() {
			n.Answered = now.Add(time.Hour)
		}
		if n.Answered.After(last) {
			last = n.Answered
		}
	}
	return last, true
}
