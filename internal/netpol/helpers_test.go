// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"encoding/json"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

// start is the now of the tests.
func start() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }

// failer is a *testing.T or a *rapid.T.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// answered is a name with current addresses and a good answer a minute ago.
func answered(list ...string) Name {
	n := Name{Answered: start().Add(-time.Minute), Retention: 5 * time.Minute}
	for _, a := range given.Addrs(list...) {
		n.Addresses = append(n.Addresses, Address{Addr: a, Current: true})
	}
	return n
}

// namesOf builds Input.Names from the text of patterns.
func namesOf(t failer, names map[string]Name) map[fqdn.Pattern]Name {
	t.Helper()
	out := map[fqdn.Pattern]Name{}
	for s, n := range names {
		out[given.Pattern(t, s)] = n
	}
	return out
}

func policy(rules ...v1alpha1.EgressRule) Policy { return PolicyOf(apiPolicy(rules...)) }

func apiPolicy(rules ...v1alpha1.EgressRule) *v1alpha1.FQDNEgressPolicy {
	p := &v1alpha1.FQDNEgressPolicy{}
	p.Name, p.Namespace, p.UID = "web", "shop", "uid-1"
	p.Spec.PodSelector = v1alpha1.LabelSelector{MatchLabels: map[string]v1alpha1.LabelValue{"app": "web"}}
	p.Spec.Egress = rules
	return p
}

// to is a rule for names without ports; see on.
func to(names ...v1alpha1.FQDN) v1alpha1.EgressRule {
	var r v1alpha1.EgressRule
	for _, n := range names {
		r.To = append(r.To, v1alpha1.EgressPeer{FQDN: n})
	}
	return r
}

func on(r v1alpha1.EgressRule, ports ...v1alpha1.EgressPort) v1alpha1.EgressRule {
	r.Ports = ports
	return r
}

func tcp(port int32) v1alpha1.EgressPort {
	return v1alpha1.EgressPort{Protocol: new(corev1.ProtocolTCP), Port: new(intstr.FromInt32(port))}
}

func udp(port int32) v1alpha1.EgressPort {
	return v1alpha1.EgressPort{Protocol: new(corev1.ProtocolUDP), Port: new(intstr.FromInt32(port))}
}

func block(cidr v1alpha1.CIDR, except ...string) v1alpha1.EgressPeer {
	return v1alpha1.EgressPeer{IPBlock: &v1alpha1.IPBlock{CIDR: cidr, Except: except}}
}

func pods(app v1alpha1.LabelValue) v1alpha1.EgressPeer {
	return v1alpha1.EgressPeer{PodSelector: &v1alpha1.LabelSelector{MatchLabels: map[string]v1alpha1.LabelValue{"app": app}}}
}

// input is an Input for p with the usual DNS facts and Service range.
func input(p Policy, names map[fqdn.Pattern]Name) Input {
	return Input{
		Policy:   p,
		Names:    names,
		MaxStale: 24 * time.Hour,
		DNS: DNS{
			Namespace:    "kube-system",
			Selector:     map[string]string{"k8s-app": "kube-dns"},
			ClusterIPs:   given.Addrs("10.96.0.10"),
			ServicePorts: []DNSPort{{"UDP", 53}, {"TCP", 53}},
			TargetPorts:  []DNSPort{{"UDP", 53}, {"TCP", 53}},
		},
		Guard: Guard{Cluster: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/12")}},
	}
}

// cluster stands in for the API server: it keeps objects by name and returns what it was given in its own form.
type cluster map[string]networkingv1.NetworkPolicy

func (c cluster) list() []networkingv1.NetworkPolicy {
	var out []networkingv1.NetworkPolicy
	for _, name := range slices.Sorted(maps.Keys(c)) {
		np := c[name]
		out = append(out, *np.DeepCopy())
	}
	return out
}

func (c cluster) clone() cluster {
	out := cluster{}
	for name, np := range c {
		out[name] = *np.DeepCopy()
	}
	return out
}

// put stores np after a round trip through JSON and the defaults of networking/v1.
func (c cluster) put(t failer, np *networkingv1.NetworkPolicy) {
	t.Helper()
	data, err := json.Marshal(np)
	if err != nil {
		t.Fatalf("marshalling: %v", err)
	}
	var stored networkingv1.NetworkPolicy
	if err := json.Unmarshal(data, &stored); err != nil {
		t.Fatalf("unmarshalling: %v", err)
	}
	for i := range stored.Spec.Egress {
		for j := range stored.Spec.Egress[i].Ports {
			if p := &stored.Spec.Egress[i].Ports[j]; p.Protocol == nil {
				p.Protocol = new(corev1.ProtocolTCP)
			}
		}
	}
	c[np.Name] = stored
}

// apply carries out one step as the API server would take it.
func (c cluster) apply(t failer, s Step) {
	t.Helper()
	_, exists := c[s.Object.Name]
	if exists != (s.Verb != Create) {
		t.Fatalf("%s of %s: exists is %v", s.Verb, s.Object.Name, exists)
	}
	if s.Verb == Delete {
		delete(c, s.Object.Name)
		return
	}
	c.put(t, s.Object)
}

// run compiles and applies until nothing is left to do, and returns the first plan. It checks what must hold of every
// plan: the second one is empty (invariant 5).
func (c cluster) run(t *testing.T, in Input, now time.Time) Plan {
	t.Helper()
	in.Live = c.list()
	plan := Compile(in, now)
	before := c.peers()
	for _, s := range plan.Steps {
		c.apply(t, s)
	}
	in.Live = c.list()
	if in.Room != nil {
		in.Room = new(max(before+*in.Room-plan.Peers, 0))
	}
	if again := Compile(in, now); len(again.Steps) > 0 {
		t.Errorf("the second plan is not empty: %s", stepNames(again.Steps))
	}
	return plan
}

// peers returns how many peers the objects have.
func (c cluster) peers() int {
	n := 0
	for _, np := range c {
		n += countPeers(&np)
	}
	return n
}

func stepNames(steps []Step) []string {
	var out []string
	for _, s := range steps {
		out = append(out, string(s.Verb)+" "+s.Object.Name)
	}
	return out
}

// peersOf lists the single addresses of the rule with that key, over all objects but the DNS rules.
func (c cluster) peersOf(key RuleKey, dns DNS) []string {
	var out []string
	for _, np := range c.list() {
		_, i, _ := NamespacedKind().parse(np.Name)
		object := readObject(&np, i, dns.rules())
		for _, r := range object.specRules() {
			if r.ports.Key != key {
				continue
			}
			for _, a := range r.addrs {
				if a.IsValid() {
					out = append(out, a.String())
				}
			}
		}
	}
	return out
}

// owned returns a NetworkPolicy with our labels and owner reference and nothing else.
func owned(name string) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: "shop",
			Labels: map[string]string{LabelManagedBy: ManagedBy, LabelPolicy: "web"},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "fqdnegress.dev/v1alpha1", Kind: "FQDNEgressPolicy", Name: "web", UID: "uid-1", Controller: new(true),
			}},
		},
		Spec: networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}},
	}
}

// addressPeer is the inverse of singleAddress.
func addressPeer(a netip.Addr) networkingv1.NetworkPolicyPeer {
	return networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: cidrOf(a)}}
}

func addrComparer() cmp.Option {
	return cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
}
