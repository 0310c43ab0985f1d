// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files")

// TestGolden compiles each file of testdata with the cluster of testdata/cluster.yaml, in several orders.
func TestGolden(t *testing.T) {
	for _, file := range policyFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			s := readState(t, "testdata/cluster.yaml", file)
			got, err := compile(s, drop)
			if err != nil {
				t.Fatal(err)
			}
			compareGolden(t, strings.TrimSuffix(file, ".yaml")+".golden", got)
			for range 10 {
				shuffle(s)
				again, err := compile(s, drop)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(got, again); diff != "" {
					t.Fatalf("the order of the objects matters (-first +again):\n%s", diff)
				}
			}
		})
	}
}

// TestCompileErrors is about what the API server lets nobody write: the ruleset before it stands.
func TestCompileErrors(t *testing.T) {
	peer := func(p networkingv1.NetworkPolicyPeer) networkingv1.NetworkPolicySpec {
		return networkingv1.NetworkPolicySpec{Ingress: []networkingv1.NetworkPolicyIngressRule{
			{From: []networkingv1.NetworkPolicyPeer{p}},
		}}
	}
	wrong := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Resembles"}}}
	tests := map[string]struct {
		spec networkingv1.NetworkPolicySpec
		want string
	}{
		"selector": {networkingv1.NetworkPolicySpec{PodSelector: *wrong}, "policy shop/p: "},
		"peer":     {peer(networkingv1.NetworkPolicyPeer{NamespaceSelector: wrong}), "policy shop/p: ingress[0]: "},
		"block": {peer(networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: "10.0.0.0"}}),
			"policy shop/p: ingress[0]: "},
		"except": {peer(networkingv1.NetworkPolicyPeer{
			IPBlock: &networkingv1.IPBlock{CIDR: "10.0.0.0/8", Except: []string{"a"}},
		}), "policy shop/p: ingress[0]: "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := readState(t, "testdata/cluster.yaml")
			s.policies = []*networkingv1.NetworkPolicy{
				{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "p"}, Spec: test.spec},
			}
			if _, err := compile(s, drop); err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got error %v, want %q...", err, test.want)
			}
		})
	}
}

func policyFiles(t *testing.T) (files []string) {
	t.Helper()
	all, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		if filepath.Base(file) != "cluster.yaml" {
			files = append(files, file)
		}
	}
	if len(files) == 0 {
		t.Fatal("no policies in testdata")
	}
	return files
}

func compareGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("run with -update if it is right (-want +got):\n%s", diff)
	}
}

func readState(t *testing.T, files ...string) (s state) {
	t.Helper()
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s.add(t, data)
	}
	return s
}

// add reads objects from YAML.
func (s *state) add(t *testing.T, data []byte) {
	t.Helper()
	for document := range bytes.SplitSeq(data, []byte("\n---\n")) {
		var kind metav1.TypeMeta
		if err := yaml.Unmarshal(document, &kind); err != nil {
			t.Fatal(err)
		}
		switch kind.Kind {
		case "Pod":
			s.pods = append(s.pods, decode[corev1.Pod](t, document))
		case "Namespace":
			s.namespaces = append(s.namespaces, decode[corev1.Namespace](t, document))
		case "NetworkPolicy":
			s.policies = append(s.policies, decode[networkingv1.NetworkPolicy](t, document))
		default:
			t.Fatalf("unexpected kind %q", kind.Kind)
		}
	}
}

func decode[T any](t *testing.T, document []byte) *T {
	t.Helper()
	object := new(T)
	if err := yaml.UnmarshalStrict(document, object); err != nil {
		t.Fatal(err)
	}
	return object
}

func shuffle(s state) {
	rand.Shuffle(len(s.pods), func(i, j int) { s.pods[i], s.pods[j] = s.pods[j], s.pods[i] })
	rand.Shuffle(len(s.namespaces), func(i, j int) { s.namespaces[i], s.namespaces[j] = s.namespaces[j], s.namespaces[i] })
	rand.Shuffle(len(s.policies), func(i, j int) { s.policies[i], s.policies[j] = s.policies[j], s.policies[i] })
}
