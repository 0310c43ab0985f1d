// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

// TestRestartProperties writes what random answers want, starts anew with a spec from which names were taken out, and with
// names of which some answer and some do not, and compares with who had what.
func TestRestartProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := drawWorld(t)
		objects := cluster{}
		write(t, objects, before, start())
		had := holdersOf(before)

		in := before
		in.Policy = takeOut(t, before.Policy)
		in.Names = answersAfterRestart(t, before)
		in.Carried = CarriedFrom(in.Policy, nil, objects.list(), in.DNS, start())
		now := start().Add(time.Duration(rapid.IntRange(0, 24*3600-1).Draw(t, "seconds")) * time.Second)
		write(t, objects, in, now)
		checkRestart(t, objects, in, had, now)
	})
}

// TestRestartUnderAForgedAnnotation: whatever it says, a rule has nothing that it did not have or that was not answered.
func TestRestartUnderAForgedAnnotation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := drawWorld(t)
		objects := cluster{}
		write(t, objects, before, start())
		peers := peersByRule(objects, before)
		for name, np := range objects {
			np.Annotations = map[string]string{AnnotationAddresses: drawForgery(t)}
			objects[name] = np
		}
		in := before
		in.Live = objects.list()
		if steps := Compile(in, start()).Steps; len(steps) > 0 {
			t.Fatalf("an annotation causes %v", stepNames(steps))
		}
		in.Policy = takeOut(t, before.Policy)
		in.Names = answersAfterRestart(t, before)
		in.Carried = CarriedFrom(in.Policy, nil, objects.list(), in.DNS, start())
		write(t, objects, in, start())
		for at := range peersByRule(objects, in) {
			if !peers[at] && !answeredIn(in, at) {
				t.Fatalf("%v is allowed", at)
			}
		}
	})
}

func TestRestartTellsWhatEachNameHad(t *testing.T) {
	names := namesOf(t, map[string]Name{"pool.example.com": many(400), "a.example.com": answered("192.0.2.1"), "*.example.org": answered("192.0.2.1", "192.0.2.2")})
	in := input(policy(on(to("pool.example.com", "a.example.com", "*.example.org"), tcp(443)), on(to("a.example.com"), tcp(22))), names)
	objects := cluster{}
	before := objects.run(t, in, start())
	in.Names, in.Carried = nil, CarriedFrom(in.Policy, nil, objects.list(), in.DNS, start())
	after := objects.run(t, in, start().Add(time.Hour))
	if diff := cmp.Diff(before.Allowed, after.CarriedFor, addrComparer()); diff != "" || len(after.Steps) > 0 || len(after.Carried) > 0 {
		t.Errorf("steps %v, Carried %v, CarriedFor (-what was allowed +got):\n%s", stepNames(after.Steps), after.Carried, diff)
	}
	// A second restart reads what the first left, and a first answer takes nothing from what is told.
	in.Carried = CarriedFrom(in.Policy, nil, objects.list(), in.DNS, start().Add(2*time.Hour))
	first := many(8)
	first.Answered = start().Add(2 * time.Hour)
	in.Names = map[fqdn.Pattern]Name{given.Pattern(t, "pool.example.com"): first}
	again := objects.run(t, in, start().Add(2*time.Hour))
	p := given.Pattern(t, "pool.example.com")
	if n := len(again.Allowed[p]) + len(again.CarriedFor[p]); n != 400 || len(again.Steps) > 0 {
		t.Errorf("%d addresses told of 400, steps %v", n, stepNames(again.Steps))
	}
}

// TestRestartInvariant9_ANameTakenOutLeavesAtOnce: the name that is taken out has an address of its own and one that
// another name has too, and that other name never answers.
func TestRestartInvariant9_ANameTakenOutLeavesAtOnce(t *testing.T) {
	objects := cluster{}
	names := namesOf(t, map[string]Name{"bad.example.com": answered("192.0.2.1", "192.0.2.2"), "silent.example.com": answered("192.0.2.2")})
	objects.run(t, input(policy(on(to("bad.example.com", "silent.example.com"), tcp(443))), names), start())
	in := input(policy(on(to("silent.example.com"), tcp(443))), nil)
	in.Carried = CarriedFrom(in.Policy, nil, objects.list(), in.DNS, start())
	onlyUpdate(t, objects.run(t, in, start()))
	if diff := cmp.Diff([]string{"192.0.2.2"}, objects.peersOf(https, in.DNS)); diff != "" {
		t.Errorf("peers (-want +got):\n%s", diff)
	}
	// An ipBlock that was taken out while no process ran goes as well.
	r := on(to("silent.example.com"), tcp(443))
	r.To = append(r.To, block("203.0.113.7/32"))
	objects = cluster{}
	objects.run(t, input(policy(r), names), start())
	in.Carried = CarriedFrom(in.Policy, nil, objects.list(), in.DNS, start())
	onlyUpdate(t, objects.run(t, in, start()))
	if diff := cmp.Diff([]string{"192.0.2.2"}, objects.peersOf(https, in.DNS)); diff != "" {
		t.Errorf("peers (-want +got):\n%s", diff)
	}
}

// TestRestartInvariant4_ANameThatGotAnAddressWithoutAWrite: another name, or an ipBlock, had the address in the rule
// already, so nothing was written and the annotation does not know; the status does. That one goes, and this one never
// answers.
func TestRestartInvariant4_ANameThatGotAnAddressWithoutAWrite(t *testing.T) {
	late := on(to("late.example.com"), tcp(443))
	for name, first := range map[string]v1alpha1.EgressPeer{"a name": to("first.example.com").To[0], "an ipBlock": block("192.0.2.1/32")} {
		t.Run(name, func(t *testing.T) {
			objects := cluster{}
			both := on(to("late.example.com"), tcp(443))
			both.To = append(both.To, first)
			objects.run(t, input(policy(both), namesOf(t, map[string]Name{"first.example.com": answered("192.0.2.1", "192.0.2.2")})), start())
			in := input(policy(late, on(to("other.example.com"), tcp(22))), nil)
			status := v1alpha1.FQDNEgressPolicyStatus{FQDNs: []v1alpha1.FQDNStatus{
				{FQDN: "first.example.com", Addresses: []string{"192.0.2.1", "192.0.2.2"}},
				{FQDN: "late.example.com", Addresses: []string{"192.0.2.1", "203.0.113.9", "nonsense"}}, // the second is no peer
				{FQDN: "other.example.com", Addresses: []string{"192.0.2.1"}},                           // nor is it one of its rule
			}}
			in.Carried = CarriedFrom(in.Policy, StatusAddresses(&status), objects.list(), in.DNS, start())
			objects.run(t, in, start())
			if diff := cmp.Diff([]string{"192.0.2.1"}, objects.peersOf(https, in.DNS)); diff != "" {
				t.Errorf("peers (-want +got):\n%s", diff)
			}
			if got := objects.peersOf("TCP/22", in.DNS); len(got) > 0 {
				t.Errorf("peers of another rule: %v", got)
			}
		})
	}
}

// drawWorld is an input with names that were all answered, and with room for all.
func drawWorld(t *rapid.T) Input {
	ports := rapid.SampledFrom([][]v1alpha1.EgressPort{nil, {tcp(443)}, {tcp(80), tcp(443)}})
	hosts := rapid.SampledFrom([]v1alpha1.FQDN{"a.example.com", "b.example.com", "c.example.com", "*.example.com"})
	var rules []v1alpha1.EgressRule
	for range rapid.IntRange(1, 3).Draw(t, "rules") {
		rules = append(rules, on(to(rapid.SliceOfNDistinct(hosts, 1, 4, rapid.ID[v1alpha1.FQDN]).Draw(t, "to")...), ports.Draw(t, "ports")...))
	}
	in := input(policy(rules...), map[fqdn.Pattern]Name{})
	in.MaxPeers = rapid.IntRange(8, 40).Draw(t, "maxPeers")
	for _, p := range everyPattern(t) {
		in.Names[p] = answered(drawAddresses(t)...)
	}
	return in
}

func everyPattern(t failer) []fqdn.Pattern {
	var out []fqdn.Pattern
	for _, s := range []string{"a.example.com", "b.example.com", "c.example.com", "*.example.com"} {
		out = append(out, given.Pattern(t, s))
	}
	return out
}

func drawAddresses(t *rapid.T) []string {
	var out []string
	for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(1, 12), 0, 6, rapid.ID[int]).Draw(t, "addresses") {
		out = append(out, fmt.Sprintf("192.0.2.%d", i))
	}
	return out
}

// takeOut returns the policy without some of its names.
func takeOut(t *rapid.T, p Policy) Policy {
	p.Rules = slices.Clone(p.Rules)
	for i := range p.Rules {
		r := &p.Rules[i]
		r.Patterns = slices.DeleteFunc(slices.Clone(r.Patterns), func(fqdn.Pattern) bool { return rapid.IntRange(0, 2).Draw(t, "taken out") == 0 })
	}
	return p
}

// answersAfterRestart lets each name answer something else, or not at all.
func answersAfterRestart(t *rapid.T, before Input) map[fqdn.Pattern]Name {
	out := map[fqdn.Pattern]Name{}
	for _, p := range everyPattern(t) {
		n := Name{Retention: before.Names[p].Retention}
		if rapid.Bool().Draw(t, "answers") {
			n = answered(drawAddresses(t)...)
			n.Answered = start().Add(time.Second)
		}
		out[p] = n
	}
	return out
}

// write carries out plans until there is nothing to do.
func write(t *rapid.T, objects cluster, in Input, now time.Time) {
	in.Live = objects.list()
	plan := Compile(in, now)
	for _, s := range plan.Steps {
		objects.apply(t, s)
	}
	if in.Live = objects.list(); len(Compile(in, now).Steps) > 0 || plan.LeftOut > 0 {
		t.Fatalf("not done after %v, left out %d", stepNames(plan.Steps), plan.LeftOut)
	}
}

// ruleAddr is an address in the rule of some ports.
type ruleAddr struct {
	key  RuleKey
	addr netip.Addr
}

// holdersOf tells for which patterns each rule has which address.
func holdersOf(in Input) map[ruleAddr][]fqdn.Pattern {
	out := map[ruleAddr][]fqdn.Pattern{}
	for _, r := range mergeRules(in.Policy.Rules) {
		for _, p := range r.patterns {
			for _, a := range in.Names[p].Addresses {
				at := ruleAddr{r.ports.Key, a.Addr}
				out[at] = append(out[at], p)
			}
		}
	}
	return out
}

func answeredIn(in Input, at ruleAddr) bool { return len(holdersOf(in)[at]) > 0 }

func peersByRule(objects cluster, in Input) map[ruleAddr]bool {
	out := map[ruleAddr]bool{}
	for _, np := range objects {
		_, i, _ := NamespacedKind().parse(np.Name)
		object := readObject(&np, i, in.DNS.rules())
		for _, r := range object.specRules() {
			for _, a := range r.addrs {
				if a.IsValid() {
					out[ruleAddr{r.ports.Key, a}] = true
				}
			}
		}
	}
	return out
}

// checkRestart: what a name had that is still listed and did not answer yet is there; what only names had that are listed no
// more is not; and nothing else is there.
func checkRestart(t *rapid.T, objects cluster, in Input, had map[ruleAddr][]fqdn.Pattern, now time.Time) {
	got := peersByRule(objects, in)
	listed := map[RuleKey][]fqdn.Pattern{}
	for _, r := range mergeRules(in.Policy.Rules) {
		listed[r.ports.Key] = r.patterns
	}
	for at, holders := range had {
		still := slices.DeleteFunc(slices.Clone(holders), func(p fqdn.Pattern) bool { return !slices.Contains(listed[at.key], p) })
		waiting := slices.ContainsFunc(still, func(p fqdn.Pattern) bool {
			due := start()
			if isExact(p) {
				due = in.Names[p].Answered
			}
			return due.IsZero() || due.Add(in.Names[p].Retention).After(now)
		})
		switch {
		case waiting && !got[at]:
			t.Fatalf("%v of %v went before they answered", at, still)
		case len(still) == 0 && got[at] && !answeredIn(in, at):
			t.Fatalf("%v of %v stays although none is listed", at, holders)
		}
	}
	for at := range got {
		if len(had[at]) == 0 && !answeredIn(in, at) {
			t.Fatalf("%v is allowed for nothing", at)
		}
	}
}

// drawForgery is a text that the reader understands, or nearly.
func drawForgery(t *rapid.T) string {
	owners := rapid.SampledFrom([]string{"a.example.com", "b.example.com", "*.example.com", "evil.example.com", ownerUnknown, ownerSpec})
	keys := rapid.SampledFrom([]string{"TCP/443", "TCP/80,TCP/443", everyPort, "TCP/22"})
	forged := rapid.SampledFrom([]string{"198.51.100.1", "192.0.2.1", "192.0.2.2", "192.0.2.3", "169.254.169.254", "10.0.0.1"})
	var text strings.Builder
	for range rapid.IntRange(0, 3).Draw(t, "forged rules") {
		text.WriteString(keys.Draw(t, "key") + ":\n")
		for range rapid.IntRange(0, 3).Draw(t, "forged lines") {
			text.WriteString("  " + owners.Draw(t, "owner") + ": " + strings.Join(rapid.SliceOfN(forged, 1, 4).Draw(t, "forged"), " ") + "\n")
		}
	}
	return text.String() + rapid.SampledFrom([]string{"", "# 3 more\n", "nonsense\n"}).Draw(t, "end")
}

// TestAnnotationCausesNoWrite: of objects that are as they should be, whatever the annotation says or lacks.
func TestAnnotationCausesNoWrite(t *testing.T) {
	in := input(policy(on(to("a.example.com", "b.example.com"), tcp(443))), namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.1")}))
	objects := cluster{}
	objects.run(t, in, start())
	in.Names = namesOf(t, map[string]Name{"b.example.com": answered("192.0.2.1")}) // the address is another name's now
	for name, annotations := range map[string]map[string]string{
		"stale":   maps.Clone(objects["web-fqdn"].Annotations),
		"missing": nil, "empty": {AnnotationAddresses: ""}, "nonsense": {AnnotationAddresses: "?"}, "huge": {AnnotationAddresses: strings.Repeat("x", 200<<10)},
	} {
		np := objects["web-fqdn"]
		np.Annotations = annotations
		objects["web-fqdn"] = np
		in.Live = objects.list()
		if plan := Compile(in, start()); len(plan.Steps) > 0 {
			t.Errorf("%s: %v", name, stepNames(plan.Steps))
		}
	}
}
