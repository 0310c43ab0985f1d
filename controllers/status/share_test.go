// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"fmt"
	"testing"
	"time"
)

// writeAll writes statuses of so many bytes, each of a policy of its own, until one has to wait.
func writeAll(s *share, tenant string, first bool, bytes int, now time.Time) (written int) {
	for {
		p := &due{}
		if s.reserve(p, tenant, first, bytes, now).After(now) {
			s.settle(p, tenant, false, now)
			return written
		}
		s.settle(p, tenant, true, now)
		written += bytes
	}
}

func TestInvariant10_StatusesOfATenantAreBounded(t *testing.T) {
	var s share
	written := 0
	for i := range 60 { // 1,000 policies with statuses of 300 kB
		written += writeAll(&s, "hungry", false, 300<<10, testNow.Add(time.Duration(i)*time.Second))
	}
	if most := 16<<20 + 60*(128<<10); written > most || written < most*9/10 {
		t.Errorf("%d bytes in a minute, want %d", written, most)
	}
	now := testNow.Add(time.Minute)
	if s.reserve(&due{}, "shop", false, 300<<10, now).After(now) {
		t.Error("another tenant waits")
	}
	if s.reserve(&due{}, "hungry", true, 6<<10, now).After(now) {
		t.Error("the first status of a policy waits for others")
	}
}

func TestInvariant10_FirstStatusesAreNoWayAroundIt(t *testing.T) {
	var s share
	if written := writeAll(&s, "hungry", true, 300<<10, testNow); written > 24<<20 {
		t.Errorf("%d bytes at once", written)
	}
}

func TestShare_TurnsComeOneAfterTheOtherAndAreGivenBack(t *testing.T) {
	var s share
	writeAll(&s, "shop", false, 16<<20, testNow)
	a, b := &due{}, &due{}
	first, second := s.reserve(a, "shop", false, 128<<10, testNow), s.reserve(b, "shop", false, 128<<10, testNow)
	if first != testNow.Add(time.Second) || second != testNow.Add(2*time.Second) {
		t.Errorf("after %s and %s", first.Sub(testNow), second.Sub(testNow))
	}
	if again := s.reserve(a, "shop", false, 128<<10, testNow); again != first {
		t.Errorf("asked again: after %s", again.Sub(testNow))
	}
	if at := s.reserve(a, "shop", true, 128<<10, testNow); at != testNow {
		t.Errorf("a new generation: after %s", at.Sub(testNow))
	}
	s.settle(b, "shop", false, testNow)
	if at := s.reserve(&due{}, "shop", false, 128<<10, testNow); at != testNow.Add(time.Second) {
		t.Errorf("what was given back is owed still: after %s", at.Sub(testNow))
	}
}

func TestShare_TheBreakerHoldsUpThoseWhoUsedMuch(t *testing.T) {
	var s share
	for i := range 5 {
		writeAll(&s, fmt.Sprint("big-", i), false, 1<<20, testNow)
	}
	if at := s.reserve(&due{}, "shop", false, 300<<10, testNow); at.After(testNow) {
		t.Errorf("one that wrote nothing waits until %s", at)
	}
	now := testNow.Add(32 * time.Second) // a quarter of the burst is back
	if at := s.reserve(&due{}, "big-0", false, 300<<10, now); !at.After(now) {
		t.Error("one that wrote much does not wait")
	}
}

// Ten thousand policies in a hundred namespaces get their first status without a wait.
func TestShare_ManyFirstStatuses(t *testing.T) {
	var s share
	for i := range 10_000 {
		p := &due{}
		if s.reserve(p, fmt.Sprint("ns-", i%100), true, 6<<10, testNow).After(testNow) {
			t.Fatalf("policy %d waits", i)
		}
		s.settle(p, fmt.Sprint("ns-", i%100), true, testNow)
	}
}

func TestShare_ForgetsTenantsThatOweNothing(t *testing.T) {
	var s share
	for i := range 100 {
		s.reserve(&due{}, fmt.Sprint("ns-", i), false, 1<<10, testNow)
	}
	s.reserve(&due{}, "shop", false, 1<<10, testNow.Add(sweep))
	if n := len(s.tenants); n != 1 {
		t.Errorf("%d tenants are remembered", n)
	}
}

func TestInvariant12_EventsOfATenantAreBounded(t *testing.T) {
	var s share
	count := func(tenant string, now time.Time) (events int) {
		for s.event(tenant, now) {
			events++
		}
		return events
	}
	if n := count("hungry", testNow); n != 300 {
		t.Errorf("%d events at once", n)
	}
	if n := count("hungry", testNow.Add(time.Minute)); n != 60 {
		t.Errorf("%d events in the next minute", n)
	}
	for i := range 10 { // these use up what all tenants may have
		count(fmt.Sprint("big-", i), testNow.Add(time.Minute))
	}
	if n := count("shop", testNow.Add(time.Minute)); n != 151 { // the first that makes it more than half is the last
		t.Errorf("a tenant that had none may have %d", n)
	}
}
