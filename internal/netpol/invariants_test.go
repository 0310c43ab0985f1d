// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

const https RuleKey = "TCP/443"

// onlyUpdate returns the object of the only step of a plan, which must be an update.
func onlyUpdate(t *testing.T, plan Plan) *networkingv1.NetworkPolicy {
	t.Helper()
	if len(plan.Steps) != 1 || plan.Steps[0].Verb != Update {
		t.Fatalf("steps = %v, want one update", stepNames(plan.Steps))
	}
	return plan.Steps[0].Object
}

func TestInvariant1_FailsClosed(t *testing.T) {
	bad := v1alpha1.EgressRule{To: []v1alpha1.EgressPeer{{}, {FQDN: "not a name"}}} // the CRD refuses both
	objects := cluster{}
	objects.run(t, input(policy(bad, on(to("a.example.com"), tcp(443))), nil), start())
	np := objects["web-fqdn"]
	if diff := cmp.Diff([]networkingv1.PolicyType{"Egress"}, np.Spec.PolicyTypes); diff != "" {
		t.Errorf("policyTypes (-want +got):\n%s", diff)
	}
	if len(np.Spec.Egress) != 1 {
		t.Fatalf("%d rules, want the DNS rule only", len(np.Spec.Egress))
	}
	if len(np.Spec.Egress[0].To) == 0 {
		t.Error("a rule with an empty `to`")
	}
}

func TestInvariant3_MakeBeforeBreakInOneWrite(t *testing.T) {
	objects := cluster{}
	p := policy(on(to("a.example.com"), tcp(443)))
	objects.run(t, input(p, namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.1", "192.0.2.2")})), start())
	plan := objects.run(t, input(p, namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.2", "192.0.2.3")})), start())
	onlyUpdate(t, plan)
	if diff := cmp.Diff([]string{"192.0.2.2", "192.0.2.3"}, objects.peersOf(https, DNS{})); diff != "" {
		t.Errorf("peers (-want +got):\n%s", diff)
	}
}

func TestInvariant4_RestartCarries(t *testing.T) {
	p := policy(on(to("a.example.com", "b.example.com"), tcp(443)), on(to("b.example.com"), tcp(22)))
	before := input(p, namesOf(t, map[string]Name{
		"a.example.com": answered("192.0.2.1", "192.0.2.2"), "b.example.com": answered("192.0.2.9"),
	}))
	objects := cluster{}
	objects.run(t, before, start())

	// A new process, an hour later, and DNS is down: nothing is known.
	now := start().Add(time.Hour)
	in := input(p, nil)
	in.Carried = CarriedFrom(in.Policy, nil, objects.list(), in.DNS, now)
	in.Live = objects.list()
	plan := Compile(in, now)
	if len(plan.Steps) > 0 {
		t.Fatalf("a restart writes: %v", stepNames(plan.Steps))
	}
	want := map[fqdn.Pattern][]netip.Addr{
		given.Pattern(t, "a.example.com"): given.Addrs("192.0.2.1", "192.0.2.2"), given.Pattern(t, "b.example.com"): given.Addrs("192.0.2.9"),
	}
	if diff := cmp.Diff(want, plan.CarriedFor, addrComparer()); diff != "" {
		t.Errorf("CarriedFor (-want +got):\n%s", diff)
	}
	if plan.AddressCount != 3 || len(plan.Allowed) != 0 || len(plan.Carried) != 0 {
		t.Errorf("AddressCount = %d, Allowed = %v, Carried = %v", plan.AddressCount, plan.Allowed, plan.Carried)
	}
	if want := now.Add(in.MaxStale); !plan.Next.Equal(want) {
		t.Errorf("Next = %v, want the end of max-stale %v", plan.Next, want)
	}

	// One name is answered: what it had goes after retention and 30 s of lingering; that of the other stays.
	a := answered("192.0.2.1")
	a.Answered = now.Add(time.Second)
	in.Names = namesOf(t, map[string]Name{"a.example.com": a})
	release := a.Answered.Add(a.Retention)
	if plan := Compile(in, release.Add(Linger-time.Nanosecond)); len(plan.Steps) > 0 {
		t.Fatalf("%v before the time", stepNames(plan.Steps))
	}
	onlyUpdate(t, objects.run(t, in, release.Add(Linger)))
	if diff := cmp.Diff([]string{"192.0.2.1", "192.0.2.9"}, objects.peersOf(https, in.DNS)); diff != "" {
		t.Errorf("peers (-want +got):\n%s", diff)
	}
}

// TestInvariant4_RestartCarriesWithoutAnnotation: an older version wrote the object, so an address may be any name's.
func TestInvariant4_RestartCarriesWithoutAnnotation(t *testing.T) {
	p := policy(on(to("a.example.com", "b.example.com"), tcp(443)))
	objects := cluster{}
	objects.run(t, input(p, namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.1"), "b.example.com": answered("192.0.2.9")})), start())
	for name, np := range objects {
		np.Annotations = nil
		objects[name] = np
	}
	a, b := answered("192.0.2.2"), answered("192.0.2.9")
	a.Answered, b.Answered = start().Add(time.Second), start().Add(2*time.Second)
	in := input(p, namesOf(t, map[string]Name{"a.example.com": a}))
	in.Carried = CarriedFrom(in.Policy, nil, objects.list(), in.DNS, start())
	plan := objects.run(t, in, start().Add(time.Hour))
	if diff := cmp.Diff(given.Addrs("192.0.2.1", "192.0.2.9"), plan.Carried, addrComparer()); diff != "" || len(plan.CarriedFor) != 0 {
		t.Errorf("one name is answered; CarriedFor %v, Carried (-want +got):\n%s", plan.CarriedFor, diff)
	}
	in.Names = namesOf(t, map[string]Name{"a.example.com": a, "b.example.com": b})
	release := b.Answered.Add(b.Retention).Add(Linger)
	if objects.run(t, in, release.Add(-1)); len(objects.peersOf(https, in.DNS)) != 3 {
		t.Errorf("peers %v before both were answered a retention ago", objects.peersOf(https, in.DNS))
	}
	objects.run(t, in, release)
	if diff := cmp.Diff([]string{"192.0.2.2", "192.0.2.9"}, objects.peersOf(https, in.DNS)); diff != "" {
		t.Errorf("peers (-want +got):\n%s", diff)
	}
}

func TestInvariant4_MaxStaleEndsIt(t *testing.T) {
	p := policy(on(to("a.example.com"), tcp(443)))
	objects := cluster{}
	objects.run(t, input(p, namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.1")})), start())
	in := input(p, nil)
	in.Carried = CarriedFrom(in.Policy, nil, objects.list(), in.DNS, start())
	end := start().Add(in.MaxStale)
	if objects.run(t, in, end.Add(Linger-1)); len(objects.peersOf(https, in.DNS)) != 1 {
		t.Fatal("carried addresses went before max-stale")
	}
	if objects.run(t, in, end.Add(Linger)); len(objects.peersOf(https, in.DNS)) != 0 {
		t.Fatal("carried addresses outlived max-stale")
	}
}

func TestInvariant5_SteadyStateWritesNothing(t *testing.T) {
	p := policy(on(to("a.example.com", "b.example.com"), tcp(443)))
	objects := cluster{}
	objects.run(t, input(p, namesOf(t, map[string]Name{
		"a.example.com": answered("192.0.2.1", "192.0.2.2"), "b.example.com": answered("192.0.2.3"),
	})), start())
	// The same addresses in another order and from another name; one not current any more.
	turned := answered("192.0.2.3", "192.0.2.2")
	turned.Addresses = append(turned.Addresses, Address{Addr: given.Addrs("192.0.2.1")[0], Until: start().Add(time.Minute)})
	in := input(p, namesOf(t, map[string]Name{"b.example.com": turned}))
	in.Live = objects.list()
	if plan := Compile(in, start()); len(plan.Steps) > 0 {
		t.Errorf("an answer that rotates writes: %v", stepNames(plan.Steps))
	}
}

func TestInvariant6_ForeignIsNotTouched(t *testing.T) {
	foreign := networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: "web-fqdn", Namespace: "shop"}}
	in := input(policy(on(to("a.example.com"), tcp(443))), namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.1")}))
	in.Live = []networkingv1.NetworkPolicy{foreign}
	plan := Compile(in, start())
	if len(plan.Steps) > 0 || len(plan.Objects) > 0 || len(plan.Allowed) > 0 {
		t.Errorf("steps %v, objects %v, allowed %v; want none", stepNames(plan.Steps), plan.Objects, plan.Allowed)
	}
	if diff := cmp.Diff([]string{"web-fqdn"}, plan.Conflicts); diff != "" {
		t.Errorf("Conflicts (-want +got):\n%s", diff)
	}
}

func TestInvariant6_AdoptsAndKeepsWhatIsForeign(t *testing.T) {
	orphan := owned("web-fqdn")
	orphan.ResourceVersion = "42"
	orphan.Labels["team"] = "shop"
	orphan.Annotations = map[string]string{"note": "keep"}
	orphan.Finalizers = []string{"example.com/keep"}
	orphan.OwnerReferences = []metav1.OwnerReference{
		{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "x"},
		{APIVersion: "fqdnegress.dev/v1alpha1", Kind: "FQDNEgressPolicy", Name: "web", UID: "old", Controller: new(true)},
		{APIVersion: "fqdnegress.dev/v1alpha1", Kind: "FQDNEgressPolicy", Name: "web", UID: "older"},
	}
	in := input(policy(), nil)
	in.Live = []networkingv1.NetworkPolicy{*orphan}
	got := onlyUpdate(t, Compile(in, start())).ObjectMeta
	want := *orphan.ObjectMeta.DeepCopy()
	want.OwnerReferences = want.OwnerReferences[:2] // one of ours is enough
	want.OwnerReferences[1].UID = "uid-1"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
}

func TestInvariant7_DriftIsRestoredInFull(t *testing.T) {
	in := input(policy(on(to("a.example.com"), tcp(443))), namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.1")}))
	want := cluster{}
	want.run(t, in, start())
	tests := map[string]func(*networkingv1.NetworkPolicy){
		"a peer added": func(np *networkingv1.NetworkPolicy) {
			np.Spec.Egress[1].To = append(np.Spec.Egress[1].To, addressPeer(given.Addrs("192.0.2.66")[0]))
		},
		"a peer removed":         func(np *networkingv1.NetworkPolicy) { np.Spec.Egress[0].To = np.Spec.Egress[0].To[1:] },
		"ports changed":          func(np *networkingv1.NetworkPolicy) { np.Spec.Egress[1].Ports = nil },
		"opened":                 func(np *networkingv1.NetworkPolicy) { np.Spec.Egress = []networkingv1.NetworkPolicyEgressRule{{}} },
		"an ingress rule":        func(np *networkingv1.NetworkPolicy) { np.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{}} },
		"policyTypes":            func(np *networkingv1.NetworkPolicy) { np.Spec.PolicyTypes = append(np.Spec.PolicyTypes, "Ingress") },
		"another pod selector":   func(np *networkingv1.NetworkPolicy) { np.Spec.PodSelector.MatchLabels["app"] = "none" },
		"a label removed":        func(np *networkingv1.NetworkPolicy) { delete(np.Labels, LabelManagedBy) },
		"the policy label taken": func(np *networkingv1.NetworkPolicy) { delete(np.Labels, LabelPolicy) },
		"the owner removed":      func(np *networkingv1.NetworkPolicy) { np.OwnerReferences = nil },
	}
	for name, edit := range tests {
		t.Run(name, func(t *testing.T) {
			objects := want.clone()
			np := objects["web-fqdn"]
			edit(&np)
			objects["web-fqdn"] = np
			onlyUpdate(t, objects.run(t, in, start()))
			if diff := cmp.Diff(want, objects); diff != "" {
				t.Errorf("not restored (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("deleted", func(t *testing.T) {
		objects := cluster{}
		objects.run(t, in, start())
		if diff := cmp.Diff(want, objects); diff != "" {
			t.Errorf("not restored (-want +got):\n%s", diff)
		}
	})
}

func TestInvariant8_HostileAnswersStayOut(t *testing.T) {
	p := policy(on(to("a.example.com"), tcp(443)))
	p.AllowedPrivate = []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}
	objects := cluster{}
	in := input(p, namesOf(t, map[string]Name{"a.example.com": answered(
		"169.254.169.254", "127.0.0.1", "::ffff:10.0.0.1", "10.1.0.1", "::ffff:192.0.2.1", "192.0.2.1", "10.96.0.1", "127.0.0.1")}))
	plan := objects.run(t, in, start())
	if diff := cmp.Diff([]string{"10.1.0.1", "192.0.2.1"}, objects.peersOf(https, in.DNS)); diff != "" {
		t.Errorf("peers (-want +got):\n%s", diff)
	}
	want := []Refusal{
		{given.Addrs("10.96.0.1")[0], "inside the cluster's own range 10.96.0.0/12: use podSelector or namespaceSelector"},
		{given.Addrs("127.0.0.1")[0], "loopback address: correct the DNS record"},
		{given.Addrs("169.254.169.254")[0], "link-local address (cloud metadata lives there): write ipBlock {cidr: 169.254.169.254/32} if it is meant"},
		{given.Addrs("::ffff:10.0.0.1")[0], "private address: list 10.0.0.1/32, or its network, in allowedPrivateCIDRs"},
	}
	if diff := cmp.Diff(want, plan.Refused[given.Pattern(t, "a.example.com")], addrComparer()); diff != "" {
		t.Errorf("Refused (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(given.Addrs("10.1.0.1", "192.0.2.1"), plan.Allowed[given.Pattern(t, "a.example.com")], addrComparer()); diff != "" {
		t.Errorf("Allowed (-want +got):\n%s", diff)
	}
}

func TestInvariant9_NoRuleLeaks(t *testing.T) {
	p := policy(on(to("a.example.com", "b.example.com"), tcp(443)), on(to("b.example.com"), tcp(22)), on(to("c.example.com"), tcp(22)))
	names := namesOf(t, map[string]Name{
		"a.example.com": answered("192.0.2.1"), "b.example.com": answered("192.0.2.1", "192.0.2.2"), "c.example.com": answered("192.0.2.3"),
	})
	objects := cluster{}
	objects.run(t, input(p, names), start())
	for key, want := range map[RuleKey][]string{https: {"192.0.2.1", "192.0.2.2"}, "TCP/22": {"192.0.2.1", "192.0.2.2", "192.0.2.3"}} {
		if diff := cmp.Diff(want, objects.peersOf(key, DNS{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
	// b goes: what a lists too stays at a's ports, and only there.
	p = policy(on(to("a.example.com"), tcp(443)), on(to("c.example.com"), tcp(22)))
	plan := objects.run(t, input(p, names), start())
	for key, want := range map[RuleKey][]string{https: {"192.0.2.1"}, "TCP/22": {"192.0.2.3"}} {
		if diff := cmp.Diff(want, objects.peersOf(key, DNS{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
	if plan.AddressCount != 2 {
		t.Errorf("AddressCount = %d, want 2", plan.AddressCount)
	}
}

func TestInvariant12_PeersAreBounded(t *testing.T) {
	n := answered("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5")
	n.Addresses[0].Current = false // kept, not in the last answer: the first to give way
	n.Addresses[0].Until = start().Add(time.Minute)
	in := input(policy(on(to("a.example.com"), tcp(443))), namesOf(t, map[string]Name{"a.example.com": n}))
	in.MaxPeers, in.MaxObjects = 4, 2 // the first has two for DNS
	objects := cluster{}
	if plan := objects.run(t, in, start()); plan.LeftOut != 0 || plan.AddressCount != 5 {
		t.Fatalf("LeftOut = %d, AddressCount = %d", plan.LeftOut, plan.AddressCount)
	}
	in.MaxPeers = 3
	plan := objects.run(t, in, start())
	if plan.LeftOut != 1 || plan.AddressCount != 4 {
		t.Errorf("LeftOut = %d, AddressCount = %d", plan.LeftOut, plan.AddressCount)
	}
	if diff := cmp.Diff(given.Addrs("192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"), plan.Allowed[given.Pattern(t, "a.example.com")], addrComparer()); diff != "" {
		t.Errorf("Allowed (-want +got):\n%s", diff)
	}
	for name, np := range objects {
		if got := countPeers(&np); got > in.MaxPeers {
			t.Errorf("%s has %d peers", name, got)
		}
	}
}
