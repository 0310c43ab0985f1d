// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"net/netip"
	"testing"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

// TestALargePoolRewritesFewObjects: 10 of 20,000 addresses are replaced. Those that go come from two objects, and the new ones
// go to these too, so two of 21 objects are written.
func TestALargePoolRewritesFewObjects(t *testing.T) {
	name := given.Pattern(t, "a.example.com")
	in := input(policy(on(to("a.example.com"), tcp(443))), map[fqdn.Pattern]Name{name: many(20_000)})
	objects := cluster{}
	objects.run(t, in, start())
	if len(objects) != 21 {
		t.Fatalf("%d objects", len(objects))
	}
	next := many(20_010)
	next.Addresses = append(next.Addresses[:3_000], next.Addresses[3_005:12_000]...)
	rest := many(20_010)
	next.Addresses = append(next.Addresses, rest.Addresses[12_005:]...)
	in.Names = map[fqdn.Pattern]Name{name: next}
	plan := objects.run(t, in, start())
	if len(plan.Steps) != 2 {
		t.Errorf("steps %v", stepNames(plan.Steps))
	}
	bytes := 0
	for _, s := range plan.Steps {
		bytes += s.Size()
	}
	if bytes > 80_000 {
		t.Errorf("%d bytes for 10 addresses", bytes)
	}
}

// TestAllObjectsChange: every address of a policy with as many as it may have is replaced at once. The order of the writes
// must not take long to find, or one tenant's policy would hold a worker.
func TestAllObjectsChange(t *testing.T) {
	name := given.Pattern(t, "a.example.com")
	pool := func(first string) Name {
		n, a := answered(), netip.MustParseAddr(first)
		for range 50_000 {
			n.Addresses, a = append(n.Addresses, Address{Addr: a, Current: true}), a.Next()
		}
		return n
	}
	in := input(policy(on(to("a.example.com"), tcp(443))), map[fqdn.Pattern]Name{name: pool("2001:db8::")})
	objects := cluster{}
	for _, s := range Compile(in, start()).Steps {
		objects[s.Object.Name] = *s.Object
	}
	in.Live, in.Names = objects.list(), map[fqdn.Pattern]Name{name: pool("2001:db8:1::")}
	before := time.Now()
	plan := Compile(in, start())
	if took := time.Since(before); len(plan.Steps) != 51 || took > 20*time.Second {
		t.Errorf("%d steps in %v", len(plan.Steps), took)
	} else {
		t.Logf("%d steps in %v", len(plan.Steps), took)
	}
}
