// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	"pgregory.net/rapid"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
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
	got, least, most := allowed(after), allowed(naive(t, in, now, 0)), allowed(naive(t, in, now, Linger))
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
	for name, np := range after {
		if _, i, _ := parseObjectName(name); i > 0 {
			if n := countPeers(&np); n == 0 || n > in.MaxPeers {
				t.Fatalf("%s has %d peers of %d", name, n, in.MaxPeers)
			}
		}
	}
	in.Live = after.list()
	if again := Compile(in, now); len(again.Steps) > 0 {
		t.Fatalf("the second plan is not empty: %v", stepNames(again.Steps))
	}
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
func naive(t *rapid.T, in Input, now time.Time, linger time.Duration) cluster {
	np := networkingv1.NetworkPolicy{}
	if in.Policy.Spec.Mode == v1alpha1.ModeAudit {
		return cluster{}
	}
	if in.Policy.Spec.ClusterDNS != v1alpha1.ClusterDNSOmit {
		np.Spec.Egress = in.DNS.rules()
	}
	for _, r := range in.Policy.Spec.Egress {
		for _, p := range r.To {
			var peers []networkingv1.NetworkPolicyPeer
			if p.FQDN == "" {
				peers = append(peers, networkPolicyPeer(&p))
			} else {
				for _, a := range in.Names[pattern(t, string(p.FQDN))].Addresses {
					if a.Until.IsZero() || a.Until.Add(linger).After(now) {
						peers = append(peers, addressPeer(a.Addr))
					}
				}
			}
			if len(peers) > 0 {
				np.Spec.Egress = append(np.Spec.Egress, networkingv1.NetworkPolicyEgressRule{Ports: egressPorts(r.Ports), To: peers})
			}
		}
	}
	np.Spec.Egress = append(np.Spec.Egress, naiveCarried(t, in, now, linger)...)
	return cluster{"naive": np}
}

// naiveCarried: the carried addresses of a rule count until every exact name was answered a retention ago.
func naiveCarried(t *rapid.T, in Input, now time.Time, linger time.Duration) []networkingv1.NetworkPolicyEgressRule {
	var out []networkingv1.NetworkPolicyEgressRule
	for key, list := range in.Carried.Rules {
		var names []v1alpha1.FQDN
		var rule networkingv1.NetworkPolicyEgressRule
		for _, r := range in.Policy.Spec.Egress {
			if _, k := canonicalPorts(egressPorts(r.Ports)); k == key {
				rule.Ports = egressPorts(r.Ports)
				for _, p := range r.To {
					names = append(names, p.FQDN)
				}
			}
		}
		if due, ok := lastAnswer(t, in, names, now); !ok || !due.Add(time.Minute+linger).After(now) {
			continue
		}
		for _, a := range list {
			rule.To = append(rule.To, addressPeer(a))
		}
		if len(rule.To) > 0 {
			out = append(out, rule)
		}
	}
	return out
}

// lastAnswer returns when the last of the exact names was answered (in an hour, of one that was not), and not ok where no
// name is listed.
func lastAnswer(t *rapid.T, in Input, names []v1alpha1.FQDN, now time.Time) (last time.Time, ok bool) {
	names = slices.DeleteFunc(names, func(n v1alpha1.FQDN) bool { return n == "" })
	exact := slices.DeleteFunc(slices.Clone(names), func(n v1alpha1.FQDN) bool { return n[0] == '*' })
	if len(exact) == 0 {
		return in.Carried.Since, len(names) > 0
	}
	for _, name := range exact {
		n := in.Names[pattern(t, string(name))]
		if n.Answered.IsZero() {
			n.Answered = now.Add(time.Hour)
		}
		if n.Answered.After(last) {
			last = n.Answered
		}
	}
	return last, true
}

func drawInput(t *rapid.T, now time.Time) Input {
	ports := rapid.SampledFrom([][]v1alpha1.EgressPort{
		nil, {tcp(443)}, {tcp(80), tcp(443)}, {{Port: tcp(440).Port, EndPort: new(int32(450))}}, {udp(53), tcp(53)}, {{Protocol: tcp(1).Protocol}},
	})
	peers := rapid.SampledFrom([]v1alpha1.EgressPeer{
		{FQDN: "a.example.com"}, {FQDN: "b.example.com"}, {FQDN: "c.example.com"}, {FQDN: "*.example.com"},
		block("192.0.2.0/30"), block("192.0.2.0/29", "192.0.2.2/31"), block("192.0.2.1/32"), block("2001:db8::/64"), pods("a"), pods("b"),
	})
	var rules []v1alpha1.EgressRule
	for range rapid.IntRange(0, 3).Draw(t, "rules") {
		rules = append(rules, v1alpha1.EgressRule{To: rapid.SliceOfN(peers, 1, 4).Draw(t, "to"), Ports: ports.Draw(t, "ports")})
	}
	in := input(policy(rules...), map[fqdn.Pattern]Name{})
	in.Policy.Spec.ClusterDNS = rapid.SampledFrom([]v1alpha1.ClusterDNS{"", "Omit"}).Draw(t, "dns")
	if rapid.IntRange(0, 9).Draw(t, "audit") == 0 {
		in.Policy.Spec.Mode = v1alpha1.ModeAudit
	}
	for _, s := range []string{"a.example.com", "b.example.com", "c.example.com", "*.example.com"} {
		in.Names[pattern(t, s)] = drawName(t, now)
	}
	in.DNS.ClusterIPs = rapid.SampledFrom([][]netip.Addr{nil, addrs("10.96.0.10"), addrs("10.96.0.11")}).Draw(t, "clusterIPs")
	in.DNS.TargetPorts = rapid.SampledFrom([][]DNSPort{nil, {{"UDP", 443}, {"TCP", 443}}}).Draw(t, "targetPorts")
	in.Carried = drawCarried(t, now)
	in.MaxPeers = rapid.IntRange(1, 8).Draw(t, "maxPeers")
	in.MaxObjects = rapid.IntRange(1, 6).Draw(t, "maxObjects")
	return in
}

// drawCarried carries addresses in some rules of the policy and in one that it has not. Until they are due they count.
func drawCarried(t *rapid.T, now time.Time) Carried {
	c := Carried{Since: now.Add(-time.Duration(rapid.IntRange(0, 100).Draw(t, "since")) * time.Second), Rules: map[RuleKey][]netip.Addr{}}
	for _, key := range []RuleKey{"", https, "TCP/80,TCP/443", dnsPortsKey, "TCP/9999"} {
		for _, a := range []string{"192.0.2.0", "192.0.2.5", "192.0.2.6", "2001:db8::2"} {
			if rapid.IntRange(0, 3).Draw(t, "carried") == 0 {
				c.Rules[key] = append(c.Rules[key], netip.MustParseAddr(a))
			}
		}
	}
	return c
}

func drawName(t *rapid.T, now time.Time) Name {
	n := Name{Retention: time.Minute}
	if after := rapid.IntRange(0, 120).Draw(t, "answered"); after > 0 {
		n.Answered = now.Add(-time.Duration(after) * time.Second)
	}
	all := slices.DeleteFunc(destinations(), func(s string) bool { return s[:2] != "19" && s[:2] != "20" })
	for _, s := range rapid.SliceOfNDistinct(rapid.SampledFrom(all), 0, 6, rapid.ID[string]).Draw(t, "addresses") {
		a := Address{Addr: netip.MustParseAddr(s), Current: rapid.Bool().Draw(t, "current")}
		if after := rapid.IntRange(-40, 40).Draw(t, "until"); after%2 == 0 {
			a.Until = now.Add(time.Duration(after) * time.Second)
		}
		n.Addresses = append(n.Addresses, a)
	}
	return n
}

// drift edits the live objects as a user with kubectl might.
func drift(t *rapid.T, objects cluster) {
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		np := objects[name]
		switch rapid.IntRange(0, 12).Draw(t, "drift") {
		case 0:
			delete(objects, name)
			continue
		case 1:
			np.Spec.Egress = append(np.Spec.Egress, networkingv1.NetworkPolicyEgressRule{})
		case 2:
			np.Spec.Egress = np.Spec.Egress[len(np.Spec.Egress)/2:]
		case 3:
			np.Spec.Egress = append(np.Spec.Egress, networkingv1.NetworkPolicyEgressRule{
				To: []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: "192.0.2.0/24"}}},
			})
		case 4:
			np.Spec.Ingress = append(np.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{})
			np.Labels = nil
		case 5: // a copy that keeps the owner reference
			stray := *np.DeepCopy()
			stray.Name = fmt.Sprintf("copy-of-%s", name)
			if len(name) < 20 {
				objects[stray.Name] = stray
			}
		}
		objects[name] = np
	}
}
