// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

// A limit that cuts an answer after a start takes nothing from a rule that was there; when the name is not limited any more, it
// has what the answers say, and what the guard refuses does not come back by it.
func TestCarriedStaysWhileTheNameIsLimited(t *testing.T) {
	a := given.Pattern(t, "a.example.com")
	p := policy(on(to("a.example.com"), tcp(443)))
	objects := cluster{}
	objects.run(t, input(p, namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.1", "192.0.2.2")})), start())

	in := input(p, nil)
	in.Carried = CarriedFrom(p, nil, objects.list(), in.DNS, start())
	in.Carried.Rules[https].Of[a] = append(in.Carried.Rules[https].Of[a], netip.MustParseAddr("127.0.0.1"))
	cut := answered("192.0.2.1")
	cut.Limited = true
	look := func(n Name, after time.Duration) int {
		in.Names = map[fqdn.Pattern]Name{a: n}
		plan := objects.run(t, in, start().Add(after))
		in.Carried = plan.StillCarried
		return plan.AddressCount
	}
	for _, after := range []time.Duration{0, time.Minute, time.Hour, 23 * time.Hour} {
		if got := look(cut, after); got != 2 {
			t.Errorf("after %v the limited name has %d addresses, want 2", after, got)
		}
	}
	free := answered("192.0.2.1")
	if got := look(free, 23*time.Hour+time.Minute); got != 1 {
		t.Errorf("not limited any more, it has %d addresses, want 1", got)
	}
	if got := look(cut, 23*time.Hour+2*time.Minute); got != 1 {
		t.Errorf("what went came back: %d addresses", got)
	}
}

func TestCarriedOfALimitedNameGoesAfterMaxStale(t *testing.T) {
	a := given.Pattern(t, "a.example.com")
	p := policy(on(to("a.example.com"), tcp(443)))
	in := input(p, map[fqdn.Pattern]Name{a: {Answered: start(), Retention: time.Minute, Limited: true}})
	in.Carried = Carried{Since: start(), Rules: map[RuleKey]CarriedRule{https: {Of: map[fqdn.Pattern][]netip.Addr{a: given.Addrs("192.0.2.1")}}}}
	for after, want := range map[time.Duration]int{in.MaxStale - time.Second: 1, in.MaxStale + Linger: 0} {
		if got := Compile(in, start().Add(after)).AddressCount; got != want {
			t.Errorf("after %v there are %d addresses, want %d", after, got, want)
		}
	}
}

// A pattern is held where its rule carries an address of it, or one of which nothing says whose it is.
func TestCarriedHeld(t *testing.T) {
	names := func(of ...string) (ps []fqdn.Pattern) {
		for _, s := range of {
			ps = append(ps, given.Pattern(t, s))
		}
		return ps
	}
	listed := on(to("d.example.com"), tcp(25))
	listed.To = append(listed.To, block("192.0.2.9/32"))
	p := policy(on(to("a.example.com", "b.example.com"), tcp(443)), on(to("c.example.com", "a.example.com"), tcp(22)), listed, on(to("e.example.com"), tcp(80)))
	c := Carried{Rules: map[RuleKey]CarriedRule{
		https:     {Of: map[fqdn.Pattern][]netip.Addr{names("b.example.com")[0]: given.Addrs("192.0.2.1"), names("x.example.com")[0]: given.Addrs("192.0.2.2")}},
		"TCP/22":  {Unknown: given.Addrs("192.0.2.3")},
		"TCP/25":  {Unknown: given.Addrs("192.0.2.9")}, // an ipBlock of the spec
		"TCP/999": {Unknown: given.Addrs("192.0.2.3")},
	}}
	want := names("b.example.com", "c.example.com", "a.example.com")
	if got := c.Held(p); !slices.Equal(got, want) {
		t.Errorf("held %v, want %v", got, want)
	}
	if got := (Carried{}).Held(p); len(got) > 0 {
		t.Errorf("nothing is carried, and %v held", got)
	}
}
