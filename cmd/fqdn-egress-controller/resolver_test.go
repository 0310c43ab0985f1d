// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// TestGuardOf_Refuses: policies may have servers in private space asked, and none that the guard never opens.
func TestGuardOf_Refuses(t *testing.T) {
	guard := func(context.Context) (netpol.Guard, error) {
		return netpol.Guard{Cluster: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/12"), netip.MustParsePrefix("203.0.113.0/24")}}, nil
	}
	unknown := func(context.Context) (netpol.Guard, error) { return netpol.Guard{}, errors.New("no cache") }
	for addr, want := range map[string]bool{
		"192.0.2.53": false, "10.20.0.53": false, "fd00::53": false,
		"10.96.0.1": true, "203.0.113.7": true, "127.0.0.1": true, "::1": true, "169.254.169.254": true, "fe80::1": true,
		"::ffff:10.96.0.1": true, "64:ff9b::a60:1": true, "0.0.0.0": true, "224.0.0.251": true,
	} {
		a := netip.MustParseAddr(addr)
		if got := guardOf(guard).refuses(t.Context(), a); got != want {
			t.Errorf("%s: refused %v, want %v", addr, got, want)
		}
		if !guardOf(unknown).refuses(t.Context(), a) {
			t.Errorf("%s: asked while nobody knows the cluster", addr)
		}
	}
}
