// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

// isInComment fails unless a line stands in a comment of the file: the examples there are the rows of the tests here.
func isInComment(t *testing.T, file, line string) {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(source), "//\t"+line+"\n") {
		t.Errorf("no comment in %s has the line %q", file, line)
	}
}

// short writes the addresses of a list as the examples do: 192.0.2.1 is .1.
func short(list []string) string {
	return "[" + strings.ReplaceAll(strings.Join(list, " "), "192.0.2", "") + "]"
}

// long is the inverse for one list, with or without brackets.
func long(text string) []string {
	var out []string
	for word := range strings.FieldsSeq(strings.Trim(text, "[]")) {
		out = append(out, "192.0.2"+word)
	}
	return out
}

func TestCompileExamples(t *testing.T) {
	tests := []struct {
		line           string
		live, want     string // "": none
		due            string // an address that was due dueFor ago
		dueFor         time.Duration
		audit, foreign bool
		steps          string
		next           time.Duration
		conflicts      []string
	}{
		{line: "none           .1                       create [.1]", want: ".1", steps: "create [.1]"},
		{line: "[.1]           .1                       none", live: ".1", want: ".1"},
		{line: "[.1]           .1 .2                    update [.1 .2]", live: ".1", want: ".1 .2", steps: "update [.1 .2]"},
		{line: "[.1 .2]        .2 (.1 due 5 s ago)      none: .1 lingers, Next in 25 s", live: ".1 .2", want: ".2", due: ".1", dueFor: 5 * time.Second, next: 25 * time.Second},
		{line: "[.1 .2]        .2 .3 (.1 due 5 s ago)   update [.2 .3]: .1 goes along", live: ".1 .2", want: ".2 .3", due: ".1", dueFor: 5 * time.Second, steps: "update [.2 .3]"},
		{line: "[.1 .2]        .2 (.1 due 30 s ago)     update [.2]", live: ".1 .2", want: ".2", due: ".1", dueFor: 30 * time.Second, steps: "update [.2]"},
		{line: "[.1]           none                     update []: the pods reach nothing", live: ".1", steps: "update []"},
		{line: "[.1]           .1, in mode Audit        delete", live: ".1", want: ".1", audit: true, steps: "delete"},
		{line: "a foreign one  .1                       none: Conflicts", want: ".1", foreign: true, conflicts: []string{"web-fqdn"}},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			isInComment(t, "compile.go", tt.line)
			objects := cluster{}
			in := input(policy(on(to("a.example.com"), tcp(443))), nil)
			in.Policy.ClusterDNS = false
			if tt.live != "" {
				in.Names = namesOf(t, map[string]Name{"a.example.com": answered(long(tt.live)...)})
				objects.run(t, in, start())
			}
			if tt.foreign {
				objects["web-fqdn"] = networkingv1.NetworkPolicy{}
				np := objects["web-fqdn"]
				np.Name, np.Namespace = "web-fqdn", "shop"
				objects["web-fqdn"] = np
			}
			name := answered(long(tt.want)...)
			for _, a := range given.Addrs(long(tt.due)...) {
				name.Addresses = append(name.Addresses, Address{Addr: a, Until: start().Add(-tt.dueFor)})
			}
			in.Names, in.Live, in.Policy.Audit = namesOf(t, map[string]Name{"a.example.com": name}), objects.list(), tt.audit
			plan := Compile(in, start())
			var steps []string
			for _, s := range plan.Steps {
				text := string(s.Verb)
				if s.Verb != Delete {
					text += " " + short(cluster{"web-fqdn": *s.Object}.peersOf(https, in.DNS))
				}
				steps = append(steps, text)
			}
			if got := strings.Join(steps, ", "); got != tt.steps {
				t.Errorf("steps %q, want %q", got, tt.steps)
			}
			if diff := cmp.Diff(tt.conflicts, plan.Conflicts); diff != "" {
				t.Errorf("Conflicts (-want +got):\n%s", diff)
			}
			if want := start().Add(tt.next); tt.next == 0 && !plan.Next.IsZero() || tt.next > 0 && !plan.Next.Equal(want) {
				t.Errorf("Next = %v, want in %v", plan.Next, tt.next)
			}
		})
	}
}

func TestPlaceExamples(t *testing.T) {
	tests := []struct {
		line    string
		live    []string
		want    string
		objects []string
		most    int
		leftOut int
		room    *int
		noRoom  int
	}{
		{line: "[.1 .2 .3]           .1 .2 .3 .4      [.1 .2 .3] [.4]", live: []string{"[.1 .2 .3]"}, want: ".1 .2 .3 .4", objects: []string{"[.1 .2 .3]", "[.4]"}},
		{line: "[.1 .2 .3] [.4]      .2 .3 .4 .5      [.2 .3 .5] [.4]", live: []string{"[.1 .2 .3]", "[.4]"}, want: ".2 .3 .4 .5", objects: []string{"[.2 .3 .5]", "[.4]"}},
		{line: "[.1 .2] [.4 .5 .6]   .1 .2 .5 .6 .7   [.1 .2] [.5 .6 .7]", live: []string{"[.1 .2]", "[.4 .5 .6]"}, want: ".1 .2 .5 .6 .7", objects: []string{"[.1 .2]", "[.5 .6 .7]"}},
		{line: "[.1 .2 .3] [.4]      .1 .3 .4         [.1 .3 .4]", live: []string{"[.1 .2 .3]", "[.4]"}, want: ".1 .3 .4", objects: []string{"[.1 .3 .4]"}},
		{line: "[.1 .2 .3 .4 .5]     .1 .2 .3 .5 .6   [.1 .2 .3 .5] [.6]", live: []string{"[.1 .2 .3 .4 .5]"}, want: ".1 .2 .3 .5 .6", objects: []string{"[.1 .2 .3 .5]", "[.6]"}},
		{line: "none, at most one    .1 .2 .3 .4      [.1 .2 .3], .4 is left out", want: ".1 .2 .3 .4", objects: []string{"[.1 .2 .3]"}, most: 1, leftOut: 1},
		{line: "[.1 .2]              .1 .2 .3 .4 .5   [.1 .2 .3] [.4], no room for .5", live: []string{"[.1 .2]"}, want: ".1 .2 .3 .4 .5", objects: []string{"[.1 .2 .3]", "[.4]"}, room: new(2), noRoom: 1},
		{line: "[.1 .2]              .3 .4 .5 .6 .7   [.3 .4 .5] [.6], no room for .7", live: []string{"[.1 .2]"}, want: ".3 .4 .5 .6 .7", objects: []string{"[.3 .4 .5]", "[.6]"}, room: new(2), noRoom: 1},
		{line: "[.1 .2 .3]           .1 .2            [.1 .2]", live: []string{"[.1 .2 .3]"}, want: ".1 .2", objects: []string{"[.1 .2]"}, room: new(2)},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			isInComment(t, "place.go", tt.line)
			in := input(policy(on(to("a.example.com"), tcp(443))), namesOf(t, map[string]Name{"a.example.com": answered(long(tt.want)...)}))
			in.Policy.ClusterDNS, in.MaxPeers, in.MaxObjects, in.Room = false, 3, tt.most, tt.room
			objects := cluster{}
			for i, text := range tt.live {
				objects[in.Policy.ObjectName(i)] = *withPeers(in.Policy.ObjectName(i), https, long(text))
			}
			plan := objects.run(t, in, start())
			var got []string
			for _, np := range objects.list() {
				got = append(got, short(cluster{np.Name: np}.peersOf(https, in.DNS)))
			}
			if diff := cmp.Diff(tt.objects, got); diff != "" || plan.LeftOut != tt.leftOut || plan.NoRoom != tt.noRoom {
				t.Errorf("LeftOut = %d, NoRoom = %d, objects (-want +got):\n%s", plan.LeftOut, plan.NoRoom, diff)
			}
		})
	}
}

// withPeers is an object of ours with addresses at one port.
func withPeers(name string, key RuleKey, list []string) *networkingv1.NetworkPolicy {
	np := owned(name)
	np.Spec.PodSelector.MatchLabels = map[string]string{"app": "web"}
	r := networkingv1.NetworkPolicyEgressRule{}
	if key == https {
		r.Ports = []networkingv1.NetworkPolicyPort{npPort("TCP", 443, 0)}
	}
	for _, a := range given.Addrs(list...) {
		r.To = append(r.To, addressPeer(a))
	}
	np.Spec.Egress = append(np.Spec.Egress, r)
	return np
}

func TestGrantsExamples(t *testing.T) {
	name := func(list ...string) Name { return answered(list...) }
	due := func(ago time.Duration, list ...string) Name {
		n := answered(list...)
		n.Addresses[len(n.Addresses)-1].Until = start().Add(-ago)
		return n
	}
	withBlock := func(r Rule, cidr string) Rule {
		r.Peers = []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: cidr}}}
		return r
	}
	a, b := given.Pattern(t, "a.example.com"), given.Pattern(t, "*.example.com")
	tests := []struct {
		line    string
		rule    Rule
		names   map[string]Name
		carried []string
		want    []string
		refused int
	}{
		{"a, *.b, 10.1.0.0/16    a: .1, .2 (due 5 s ago); *.b: .1   10.1.0.0/16; .1 for a and *.b; .2 for a, due",
			withBlock(policy(to("a.example.com", "*.example.com")).Rules[0], "10.1.0.0/16"), map[string]Name{"a.example.com": due(5*time.Second, "192.0.2.1", "192.0.2.2"), "*.example.com": name("192.0.2.1")}, nil,
			[]string{"10.1.0.0/16", "192.0.2.1 a *.b", "192.0.2.2 a due"}, 0},
		{"a                      a: .1 (due 40 s ago)               none",
			policy(to("a.example.com")).Rules[0], map[string]Name{"a.example.com": due(40*time.Second, "192.0.2.1")}, nil, nil, 0},
		{"a                      a: 127.0.0.1                       none; Refused",
			policy(to("a.example.com")).Rules[0], map[string]Name{"a.example.com": name("127.0.0.1")}, nil, nil, 1},
		{"a                      a: not answered; carried .3        .3 for a, carried",
			policy(to("a.example.com")).Rules[0], nil, []string{"192.0.2.3"}, []string{"192.0.2.3 a carried"}, 0},
		{"a, .1/32               a: .1                              .1/32; .1 for a, listed",
			withBlock(policy(to("a.example.com")).Rules[0], "192.0.2.1/32"), map[string]Name{"a.example.com": name("192.0.2.1")}, nil, []string{"192.0.2.1", "192.0.2.1 a listed"}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			isInComment(t, "grants.go", tt.line)
			p := policy()
			p.Rules = []Rule{tt.rule}
			in := input(p, namesOf(t, tt.names))
			if tt.carried != nil {
				in.Carried = Carried{Since: start(), Rules: map[RuleKey]CarriedRule{"": {Of: map[fqdn.Pattern][]netip.Addr{a: given.Addrs(tt.carried...)}}}}
			}
			g := GrantsOf(in, start())
			var got []string
			for _, grant := range slices.Concat(g.Rules[0].Spec, g.Rules[0].Names) {
				text := grant.Addr.String()
				if grant.Peer != nil {
					text = grant.Peer.IPBlock.CIDR
				}
				for _, c := range grant.Claims {
					text += map[fqdn.Pattern]string{a: " a", b: " *.b"}[c.Pattern]
					for word, is := range map[string]bool{" due": isDue(c.Until, start()), " carried": c.Carried} {
						if is {
							text += word
						}
					}
				}
				if grant.Listed {
					text += " listed"
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || len(g.Refused[a]) != tt.refused {
				t.Errorf("%d refused, grants (-want +got):\n%s", len(g.Refused[a]), diff)
			}
			if len(g.DNS) != 1 || len(g.DNS[0].Spec) != 2 {
				t.Errorf("DNS = %v", g.DNS)
			}
		})
	}
}
