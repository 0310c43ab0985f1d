// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/netip"
	"testing"
	"time"
)

func set(addrs ...string) map[netip.Addr]bool {
	s := map[netip.Addr]bool{}
	for _, a := range addrs {
		s[netip.MustParseAddr(a)] = true
	}
	return s
}

func TestHistory(t *testing.T) {
	t0 := time.Unix(1000, 0)
	at := func(seconds int) time.Time { return t0.Add(time.Duration(seconds) * time.Second) }
	h := newHistory()
	h.set(set("192.0.2.1"), at(0))
	h.set(set("192.0.2.1", "192.0.2.2"), at(2))
	h.set(set("192.0.2.2"), at(4))
	h.set(set("192.0.2.1", "192.0.2.2"), at(6))
	for _, tc := range []struct {
		addr    string
		seconds int
		want    bool
	}{
		{"192.0.2.1", -1, false}, {"192.0.2.1", 0, true}, {"192.0.2.1", 3, true}, {"192.0.2.1", 4, false},
		{"192.0.2.1", 6, true}, {"192.0.2.1", 100, true}, {"192.0.2.2", 1, false}, {"192.0.2.2", 2, true},
		{"192.0.2.2", 5, true}, {"192.0.2.3", 5, false},
	} {
		if got := h.allows(netip.MustParseAddr(tc.addr), at(tc.seconds)); got != tc.want {
			t.Errorf("%s after %d s: %v", tc.addr, tc.seconds, got)
		}
	}
	for seconds, want := range map[int][2]int{-1: {0, 0}, 1: {1, 1}, 3: {2, 1}, 5: {1, 0}, 7: {2, 1}} {
		allowed, more := h.without(set("192.0.2.2", "192.0.2.9"), at(seconds))
		if got := [2]int{allowed, more}; got != want {
			t.Errorf("after %d s: %v allowed and not held, not %v", seconds, got, want)
		}
	}
}
