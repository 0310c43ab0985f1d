// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

func TestAnnotationSaysWhoseTheAddressesAre(t *testing.T) {
	r := on(to("a.example.com", "b.example.com", "*.example.org"), tcp(443))
	r.To = append(r.To, block("203.0.113.7/32"), block("203.0.113.0/24"))
	in := input(policy(r, to("b.example.com")), namesOf(t, map[string]Name{
		"a.example.com": answered("192.0.2.2", "192.0.2.10"), "b.example.com": answered("192.0.2.2", "2001:db8::1"),
		"*.example.org": answered("192.0.2.3"),
	}))
	in.Carried = Carried{Since: start(), Rules: map[RuleKey]CarriedRule{https: {
		Of:      map[fqdn.Pattern][]netip.Addr{given.Pattern(t, "a.example.com"): given.Addrs("192.0.2.2", "192.0.2.4")},
		Unknown: given.Addrs("192.0.2.5", "192.0.2.10"),
	}}}
	objects := cluster{}
	objects.run(t, in, start())
	want := `TCP/443:
  (ipBlock): 203.0.113.7
  (unknown): 192.0.2.5 192.0.2.10
  *.example.org: 192.0.2.3
  a.example.com: 192.0.2.2 192.0.2.4 192.0.2.10
  b.example.com: 192.0.2.2 2001:db8::1
all ports:
  b.example.com: 192.0.2.2 2001:db8::1
`
	if diff := cmp.Diff(want, objects["web-fqdn"].Annotations[AnnotationAddresses]); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAnnotationWrapsForKubectlDescribe(t *testing.T) {
	in := input(policy(on(to("a.example.com"), tcp(443))), nil)
	in.Names, in.MaxPeers = map[fqdn.Pattern]Name{given.Pattern(t, "a.example.com"): many(1000)}, 2000
	text := Compile(in, start()).Steps[0].Object.Annotations[AnnotationAddresses]
	for line := range strings.SplitSeq(text, "\n") {
		if len(line) > 138 || strings.TrimRight(line, " ") != line {
			t.Errorf("kubectl describe cuts %q", line)
		}
	}
	if n := strings.Count(text, "198.18."); n != 1000 {
		t.Errorf("%d addresses, want 1000", n)
	}
}

// TestAnnotationIsBounded: what does not fit is left out below all of its owners, and the text says how much.
func TestAnnotationIsBounded(t *testing.T) {
	rules := []v1alpha1.EgressRule{on(to("z.example.com"), tcp(22))}
	names := map[string]Name{"z.example.com": many(1)}
	for i := range 40 {
		name := fmt.Sprintf("n%02d.example.com", i)
		rules = append(rules, on(to(v1alpha1.FQDN(name)), tcp(443)))
		names[name] = many(400)
	}
	in := input(policy(rules...), namesOf(t, names))
	objects := cluster{}
	objects.run(t, in, start())
	np := objects["web-fqdn"]
	text := np.Annotations[AnnotationAddresses]
	if len(text) > maxAnnotation || len(text) < maxAnnotation*9/10 {
		t.Errorf("%d bytes", len(text))
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	owners := ownersFrom(&np)
	listed := owners[https]
	want := fmt.Sprintf("# %d more addresses are not listed: the text would exceed 64 KiB", 400-len(listed))
	if got := lines[len(lines)-1]; got != want {
		t.Errorf("the last line is %q, want %q", got, want)
	}
	for a, of := range listed {
		if len(of) != 40 {
			t.Errorf("%v has %d owners listed of 40", a, len(of))
		}
	}
	// What is not listed is carried for the rule as a whole.
	carried := CarriedFrom(in.Policy, nil, objects.list(), in.DNS, start()).Rules[https]
	if got := len(carried.Unknown); got != 400-len(listed) || got == 0 {
		t.Errorf("%d unknown, %d listed of 400", got, len(listed))
	}
}

// TestAnnotationOfOneAddressThatDoesNotFit: the others are listed all the same.
func TestAnnotationOfOneAddressThatDoesNotFit(t *testing.T) {
	var shared []v1alpha1.FQDN
	names := map[string]Name{"b.example.com": answered("192.0.2.9")}
	label := strings.Repeat("x", 60)
	for i := range 400 {
		name := fmt.Sprintf("n%03d.%s.%s.%s.example.com", i, label, label, label)
		shared = append(shared, v1alpha1.FQDN(name))
		names[name] = answered("192.0.2.1")
	}
	in := input(policy(on(to(shared...), tcp(443)), on(to("b.example.com"), tcp(22))), namesOf(t, names))
	want := "TCP/22:\n  b.example.com: 192.0.2.9\n# 1 more address is not listed: the text would exceed 64 KiB\n"
	if diff := cmp.Diff(want, Compile(in, start()).Steps[0].Object.Annotations[AnnotationAddresses]); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAnnotationStaysWithTheForeignOnes(t *testing.T) {
	np := owned("web-fqdn")
	np.Annotations = map[string]string{"note": "keep", AnnotationAddresses: "old"}
	in := input(policy(on(to("a.example.com"), tcp(443))), namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.1")}))
	in.Live = []networkingv1.NetworkPolicy{*np}
	want := map[string]string{"note": "keep", AnnotationAddresses: "TCP/443:\n  a.example.com: 192.0.2.1\n"}
	if diff := cmp.Diff(want, onlyUpdate(t, Compile(in, start())).Annotations); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	in.Names = nil // no address any more
	if diff := cmp.Diff(map[string]string{"note": "keep"}, onlyUpdate(t, Compile(in, start())).Annotations); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff("old", in.Live[0].Annotations[AnnotationAddresses]); diff != "" {
		t.Errorf("the input was changed: %s", diff)
	}
}

func TestAnnotationReadsBack(t *testing.T) {
	a, wild := addressFor{pattern: given.Pattern(t, "a.example.com")}, addressFor{pattern: given.Pattern(t, "*.example.com")}
	tests := map[string]struct {
		text string
		want addressesFor // nil: unreadable
	}{
		"all kinds": {
			"TCP/443:\n  (ipBlock): 192.0.2.7\n  (unknown): 192.0.2.8\n  *.example.com: 192.0.2.1\n  a.example.com: 192.0.2.1\n    2001:db8::1\nall ports:\n  a.example.com: 192.0.2.9\n# 3 more\n",
			addressesFor{
				https: {
					given.Addrs("192.0.2.7")[0]: {{spec: true}}, given.Addrs("192.0.2.8")[0]: {{}}, given.Addrs("192.0.2.1")[0]: {wild, a}, given.Addrs("2001:db8::1")[0]: {a},
				},
				"": {given.Addrs("192.0.2.9")[0]: {a}},
			},
		},
		"missing":                     {"", nil},
		"no rule":                     {"  a.example.com: 192.0.2.1\n", nil},
		"no owner":                    {"TCP/443:\n    192.0.2.1\n", nil},
		"the owner of another rule":   {"TCP/443:\n  a.example.com: 192.0.2.1\nTCP/80:\n    192.0.2.1\n", nil},
		"no address":                  {"TCP/443:\n  a.example.com: \n", nil},
		"an owner alone":              {"TCP/443:\n  a.example.com:\n", nil},
		"a block":                     {"TCP/443:\n  a.example.com: 192.0.2.0/24\n", nil},
		"two blanks":                  {"TCP/443:\n  a.example.com: 192.0.2.1  192.0.2.2\n", nil},
		"a name that is none":         {"TCP/443:\n  -: 192.0.2.1\n", nil},
		"an owner of a later version": {"TCP/443:\n  (pool): 192.0.2.1\n", nil},
		"a rule without a colon":      {"TCP/443\n", nil},
		"a rule without ports":        {":\n  a.example.com: 192.0.2.1\n", nil},
		"an empty line":               {"TCP/443:\n\n  a.example.com: 192.0.2.1\n", nil},
		"cut by somebody else":        {"TCP/443:\n  a.example.com: 192.0.2.1\n  b.exam", nil},
		"too long":                    {"TCP/443:\n  a.example.com: 192.0.2.1\n" + strings.Repeat("# x\n", maxAnnotation/4), nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := parseAnnotation(tt.text)
			if ok != (tt.want != nil) {
				t.Fatalf("ok = %v: %v", ok, got)
			}
			if diff := cmp.Diff(tt.want, got, addrComparer(), cmp.AllowUnexported(addressFor{}), cmp.Comparer(func(a, b fqdn.Pattern) bool { return a == b })); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// FuzzAnnotation: whatever somebody wrote into the annotation, only peers are carried, and what was read and is written again
// reads the same.
func FuzzAnnotation(f *testing.F) {
	f.Add("TCP/443:\n  a.example.com: 192.0.2.1 192.0.2.2\n    2001:db8::1\n  (unknown): 192.0.2.3\n")
	f.Add("TCP/443:\n  (ipBlock): 192.0.2.1\nall ports:\n  *.example.com: 192.0.2.2\n# 1 more\n")
	f.Add("TCP/443:\n  a.example.com: 192.0.2.9 192.0.2.9 ::ffff:192.0.2.1 fe80::1%eth0\n")
	f.Add("all ports:\nall ports:\n  a.example.com: 198.51.100.1\n")
	np := owned("web-fqdn")
	peers := given.Addrs("192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1")
	for _, key := range []int32{443, 0} {
		r := networkingv1.NetworkPolicyEgressRule{}
		if key != 0 {
			r.Ports = []networkingv1.NetworkPolicyPort{npPort("TCP", int(key), 0)}
		}
		for _, a := range peers {
			r.To = append(r.To, addressPeer(a))
		}
		np.Spec.Egress = append(np.Spec.Egress, r)
	}
	f.Fuzz(func(t *testing.T, text string) {
		live := *np.DeepCopy()
		live.Annotations = map[string]string{AnnotationAddresses: text}
		carried := CarriedFrom(policy(), nil, []networkingv1.NetworkPolicy{live}, DNS{}, start())
		for key, r := range carried.Rules {
			if key != https && key != "" {
				t.Fatalf("carried in a rule that is not there: %q", key)
			}
			for p, list := range r.Of {
				if _, err := fqdn.ParsePattern(p.String()); err != nil {
					t.Fatalf("carried for %q", p)
				}
				checkCarried(t, peers, list)
			}
			checkCarried(t, peers, r.Unknown)
		}
	})
}

func checkCarried(t *testing.T, peers, list []netip.Addr) {
	t.Helper()
	if !slices.IsSortedFunc(list, netip.Addr.Compare) || len(slices.Compact(slices.Clone(list))) != len(list) {
		t.Fatalf("not sorted or not distinct: %v", list)
	}
	for _, a := range list {
		if !slices.Contains(peers, a) {
			t.Fatalf("%v is carried and no peer", a)
		}
	}
}
