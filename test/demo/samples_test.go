// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
)

// TestEveryNameOfTheSamplesHasAnAnswer keeps the demo and config/samples together.
func TestEveryNameOfTheSamplesHasAnAnswer(t *testing.T) {
	names := map[string]bool{}
	for _, p := range samplePolicies(t) {
		for _, rule := range p.Spec.Egress {
			for _, peer := range rule.To {
				if peer.FQDN != "" {
					names[string(peer.FQDN)] = true
				}
			}
		}
	}
	for name := range names {
		if len(answers()[name]) == 0 {
			t.Errorf("the demo's DNS server has no answer for %s", name)
		}
	}
	for name := range answers() {
		if !names[name] {
			t.Errorf("no sample lists %s", name)
		}
	}
}

func samplePolicies(t *testing.T) []v1alpha1.FQDNEgressPolicy {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "config", "samples", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var policies []v1alpha1.FQDNEgressPolicy
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var p v1alpha1.FQDNEgressPolicy
		if err := yaml.Unmarshal(content, &p); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if p.Kind == v1alpha1.Kind {
			policies = append(policies, p)
		}
	}
	if len(policies) == 0 {
		t.Fatal("config/samples has no policy")
	}
	return policies
}
