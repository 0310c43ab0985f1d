// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
)

// TestDeployed also holds GOMEMLIMIT to nine tenths of the limit: the collector must work harder before the kernel kills.
func TestDeployed(t *testing.T) {
	d, err := Deployed()
	if err != nil {
		t.Fatal(err)
	}
	if d.MemoryLimit < 64<<20 || len(d.Env) != 1 {
		t.Fatalf("%+v", d)
	}
	value, ok := strings.CutPrefix(d.Env[0], "GOMEMLIMIT=")
	if !ok {
		t.Fatalf("%q is no GOMEMLIMIT", d.Env[0])
	}
	goLimit, err := resource.ParseQuantity(strings.TrimSuffix(value, "B"))
	if err != nil {
		t.Fatal(err)
	}
	if part := float64(goLimit.Value()) / float64(d.MemoryLimit); part < 0.88 || part > 0.92 {
		t.Errorf("GOMEMLIMIT is %.2f of the limit", part)
	}
}
