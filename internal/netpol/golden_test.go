// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

var update = flag.Bool("update", false, "write the golden files")

// TestGolden shows what is written for typical policies. The golden files are also given to a real API server.
func TestGolden(t *testing.T) {
	tests := map[string]func() (Policy, map[string]Name, func(*Input)){
		"one-name": func() (Policy, map[string]Name, func(*Input)) {
			return policy(on(to("www.google.com"), tcp(443))),
				map[string]Name{"www.google.com": answered("2a00:1450:400f:801::2004", "142.250.74.36")}, nil
		},
		"rules-with-equal-ports-become-one": func() (Policy, map[string]Name, func(*Input)) {
			return policy(
					on(to("a.example.com"), tcp(443), tcp(80)),
					on(to("b.example.com"), tcp(22)),
					on(to("c.example.com", "a.example.com"), tcp(80), v1alpha1.EgressPort{Port: tcp(443).Port}, tcp(443))),
				map[string]Name{"a.example.com": answered("192.0.2.2", "192.0.2.10"), "b.example.com": answered("192.0.2.2"), "c.example.com": answered("192.0.2.1")}, nil
		},
		"ordinary-peers-come-first": func() (Policy, map[string]Name, func(*Input)) {
			r := on(to("a.example.com"), tcp(443))
			namespaces := v1alpha1.EgressPeer{NamespaceSelector: &v1alpha1.LabelSelector{MatchExpressions: []v1alpha1.LabelSelectorRequirement{
				{Key: "team", Operator: metav1.LabelSelectorOpIn, Values: []v1alpha1.LabelValue{"x", "y"}},
				{Key: "old", Operator: metav1.LabelSelectorOpDoesNotExist},
			}}}
			all := v1alpha1.EgressPeer{PodSelector: &v1alpha1.LabelSelector{}}
			r.To = append(r.To, pods("db"), block("203.0.113.0/24", "203.0.113.128/25"), block("192.0.2.7/32"), namespaces, pods("db"), all)
			return policy(r), map[string]Name{"a.example.com": answered("192.0.2.1", "192.0.2.7")}, nil
		},
		"ports-of-every-kind": func() (Policy, map[string]Name, func(*Input)) {
			named := v1alpha1.EgressRule{To: []v1alpha1.EgressPeer{pods("db")}, Ports: []v1alpha1.EgressPort{{Port: npPort("", "postgres", 0).Port}}}
			return policy(
					to("all.example.com"),
					on(to("range.example.com"), v1alpha1.EgressPort{Port: tcp(8000).Port, EndPort: new(int32(8100))}, udp(443)),
					on(to("protocol.example.com"), v1alpha1.EgressPort{Protocol: new(corev1.ProtocolSCTP)}),
					named),
				map[string]Name{"all.example.com": answered("192.0.2.1"), "range.example.com": answered("192.0.2.2"), "protocol.example.com": answered("192.0.2.3")}, nil
		},
		"nothing-resolves": func() (Policy, map[string]Name, func(*Input)) {
			return policy(on(to("a.example.com", "*.example.org"), tcp(443))), nil, nil
		},
		"nothing-allowed": func() (Policy, map[string]Name, func(*Input)) {
			p := policy()
			p.PodSelector = metav1.LabelSelector{}
			p.ClusterDNS = false
			return p, nil, nil
		},
		"dns-by-convention": func() (Policy, map[string]Name, func(*Input)) {
			return policy(), nil, func(in *Input) { in.DNS = DNS{Extra: given.Addrs("169.254.20.10")} }
		},
		"dns-of-openshift": func() (Policy, map[string]Name, func(*Input)) {
			return policy(), nil, func(in *Input) {
				in.DNS.Namespace, in.DNS.Selector = "openshift-dns", map[string]string{"dns.operator.openshift.io/daemonset-dns": "default"}
				in.DNS.ClusterIPs = given.Addrs("172.30.0.10", "fd02::a")
				in.DNS.TargetPorts = []DNSPort{{"UDP", 5353}, {"TCP", 5353}}
			}
		},
		"dns-without-selector": func() (Policy, map[string]Name, func(*Input)) {
			return policy(), nil, func(in *Input) { in.DNS.Selector = nil; in.DNS.Extra = given.Addrs("169.254.20.10", "10.96.0.10") }
		},
		"dns-rule-stands-apart": func() (Policy, map[string]Name, func(*Input)) {
			return policy(on(to("dns.google"), udp(53), tcp(53))), map[string]Name{"dns.google": answered("8.8.8.8")}, nil
		},
		"several-objects": func() (Policy, map[string]Name, func(*Input)) {
			r := on(to("a.example.com"), tcp(443))
			r.To = append(r.To, pods("db"))
			return policy(r, on(to("b.example.com"), tcp(80))),
				map[string]Name{"a.example.com": answered("192.0.2.1", "192.0.2.2", "192.0.2.3"), "b.example.com": answered("192.0.2.1", "192.0.2.9")},
				func(in *Input) { in.MaxPeers = 5 }
		},
	}
	for name, build := range tests {
		t.Run(name, func(t *testing.T) {
			p, names, change := build()
			in := input(p, namesOf(t, names))
			if change != nil {
				change(&in)
			}
			objects := cluster{}
			objects.run(t, in, start())
			checkGolden(t, objects)
		})
	}
}

// checkGolden compares the objects with testdata/<the last part of the test's name>.golden.yaml, and that with what a
// strict decoder makes of it.
func checkGolden(t *testing.T, objects cluster) {
	t.Helper()
	var documents []string
	for _, np := range objects.list() {
		np.TypeMeta = metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"}
		text, err := yaml.Marshal(np)
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, string(text))
	}
	got := strings.Join(documents, "---\n")
	file := filepath.Join("testdata", filepath.Base(t.Name())+".golden.yaml")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
	for document := range bytes.SplitSeq(want, []byte("---\n")) {
		var np networkingv1.NetworkPolicy
		if err := yaml.UnmarshalStrict(document, &np); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if stored := objects[np.Name]; !cmp.Equal(stored.Spec, np.Spec) {
			t.Errorf("%s: decoded otherwise than written:\n%s", file, cmp.Diff(stored.Spec, np.Spec))
		}
	}
}
