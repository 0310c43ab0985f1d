// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"path/filepath"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/fqdn-egress/fqdn-egress/test/apiserver"
)

// The golden files of the compiler are NetworkPolicies that the API server accepts and stores as they are: a default that it
// fills in would be a difference for ever (edge 9).
func TestGoldenNetworkPoliciesAreAcceptedAsTheyAre(t *testing.T) {
	w := newWorld(t)
	root, err := apiserver.Root()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root, "internal/netpol/testdata/*.golden.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files (%v)", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, document := range splitYAML(string(text)) {
				want := &networkingv1.NetworkPolicy{}
				if err := yaml.UnmarshalStrict([]byte(document), want); err != nil {
					t.Fatal(err)
				}
				got := want.DeepCopy()
				got.Namespace, got.ResourceVersion, got.UID = w.namespace, "", ""
				if err := w.client.Create(t.Context(), got, client.DryRunAll); err != nil {
					t.Fatal(err)
				}
				if !equality.Semantic.DeepEqual(want.Spec, got.Spec) {
					t.Errorf("%s is stored otherwise:\nwritten %+v\nstored  %+v", want.Name, want.Spec, got.Spec)
				}
			}
		})
	}
}
