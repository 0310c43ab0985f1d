// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/fqdn-egress/fqdn-egress/test/controller"
)

// TestInvariant12_MemoryAtEveryLimitTogetherFitsTheDeployment reckons with what the scenario memory measures.
func TestInvariant12_MemoryAtEveryLimitTogetherFitsTheDeployment(t *testing.T) {
	d, err := controller.Deployed()
	if err != nil {
		t.Fatal(err)
	}
	const mib = 1 << 20
	l, c := everyLimit(), costs()
	heap, room := c.heap(l), 0.9*float64(d.MemoryLimit) // GOMEMLIMIT, see the tests of config/manager in test/controller
	t.Logf("%+v: %.0f MiB of %.0f MiB", l, heap/mib, room/mib)
	if heap > room {
		t.Errorf("at every limit together the heap is %.0f MiB, more than the nine tenths of the Deployment's limit that Go may use: %.0f MiB", heap/mib, room/mib)
	}
	// The test would fail if a limit were twice as large.
	for _, larger := range []load{
		{policies: l.policies, names: 2 * l.names, listings: 2 * l.listings, addresses: 2 * l.addresses, questions: l.questions, peers: l.peers},
		{policies: 5 * l.policies, names: l.names, listings: l.listings, addresses: l.addresses, questions: l.questions, peers: l.peers},
		{policies: l.policies, names: l.names, listings: l.listings, addresses: l.addresses, questions: l.questions, peers: 2 * l.peers},
	} {
		if c.heap(larger) <= room {
			t.Errorf("%+v would fit too: the limits could be larger", larger)
		}
	}
}
