// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

// BenchmarkCompile is one policy with one rule: in the steady state, which is what nearly all calls see, and with one
// address more than the live object has.
func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{10, 1000, 5000} {
		b.Run(fmt.Sprintf("steady/addresses=%d", n), func(b *testing.B) { benchmarkCompile(b, n, n, 0) })
		b.Run(fmt.Sprintf("change/addresses=%d", n), func(b *testing.B) { benchmarkCompile(b, n, n+1, 1) })
	}
}

func benchmarkCompile(b *testing.B, before, after, steps int) {
	in := settled(b, before)
	in.Names = map[fqdn.Pattern]Name{given.Pattern(b, "a.example.com"): many(after)}
	b.ReportAllocs()
	for b.Loop() {
		if plan := Compile(in, start()); len(plan.Steps) != steps {
			b.Fatalf("steps = %v", stepNames(plan.Steps))
		}
	}
}

// BenchmarkLive is what is read of the live objects after each Compile, in the steady state.
func BenchmarkLive(b *testing.B) {
	for _, n := range []int{10, 1000, 5000} {
		b.Run(fmt.Sprintf("addresses=%d", n), func(b *testing.B) {
			in := settled(b, n)
			plan := Compile(in, start())
			b.ReportAllocs()
			for b.Loop() {
				if l := Live(in, plan, in.Live); len(l.Addresses) != n {
					b.Fatalf("%d addresses", len(l.Addresses))
				}
			}
		})
	}
}

// settled is a policy with one name of n addresses, all of them written.
func settled(b *testing.B, n int) Input {
	objects := cluster{}
	in := input(policy(on(to("a.example.com"), tcp(443))), map[fqdn.Pattern]Name{given.Pattern(b, "a.example.com"): many(n)})
	in.MaxPeers = 2 * n // one object
	for _, s := range Compile(in, start()).Steps {
		objects.apply(b, s)
	}
	in.Live = objects.list()
	return in
}

func many(n int) Name {
	name := Name{Answered: start(), Retention: time.Minute}
	for i := range n {
		name.Addresses = append(name.Addresses, Address{Addr: netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)}), Current: true})
	}
	return name
}
