// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

func TestMemoryIsOfOnePolicyNotOfOneName(t *testing.T) {
	var ms memories
	sights := 0
	see := func(uid types.UID) *memory {
		m := ms.of(testKey(), uid)
		m.carried.look("", func() netpol.Carried { sights++; return netpol.Carried{Since: testNow} })
		return m
	}
	first := see("first")
	if again := see("first"); again != first || sights != 1 {
		t.Errorf("the second sight is a first one again (%d)", sights)
	}
	first.carried.look("10.0.0.53:53", func() netpol.Carried { sights++; return netpol.Carried{} })
	if sights != 2 {
		t.Errorf("with other servers to ask, what is written was not looked at (%d)", sights)
	}
	if other := see("recreated"); other == first || sights != 3 {
		t.Errorf("the memory of a deleted policy went to its namesake (%d first sights)", sights)
	}
	ms.forget(testKey())
	if see("recreated"); sights != 4 {
		t.Errorf("the memory of a policy that is gone is still there (%d first sights)", sights)
	}
}
