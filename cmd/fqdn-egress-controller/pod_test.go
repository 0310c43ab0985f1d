// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOwnPod(t *testing.T) {
	t.Setenv(envPodIPs, "10.244.0.5,fd00:244::5")
	t.Setenv(envHostIPs, "192.0.2.7")
	got, err := ownPod()
	if err != nil {
		t.Fatal(err)
	}
	want := []netip.Addr{netip.MustParseAddr("10.244.0.5"), netip.MustParseAddr("fd00:244::5")}
	if diff := cmp.Diff(want, got.podIPs, byValue); diff != "" || len(got.hostIPs) != 1 {
		t.Errorf("pod IPs (-want +got):\n%s\nhost IPs %v", diff, got.hostIPs)
	}

	t.Setenv(envHostIPs, "node-1")
	if _, err := ownPod(); err == nil || !strings.Contains(err.Error(), envHostIPs) {
		t.Errorf("got %v, want an error that names %s", err, envHostIPs)
	}
}

func TestPublicAddressesOfThePod(t *testing.T) {
	for addr, want := range map[string]bool{
		"10.244.0.5": false, "172.20.1.1": false, "192.168.1.1": false, "100.64.0.1": false, "100.127.255.255": false,
		"fd00::5": false, "fe80::1": false, "169.254.1.1": false, "127.0.0.1": false, "::1": false,
		"100.128.0.1": true, "203.0.113.7": true, "2001:db8::5": true, "2600:1f14::5": true,
	} {
		for _, p := range []pod{
			{podIPs: []netip.Addr{netip.MustParseAddr(addr)}}, {hostIPs: []netip.Addr{netip.MustParseAddr(addr)}},
		} {
			if got := len(p.public()) == 1; got != want {
				t.Errorf("%s is public: %t, want %t", addr, got, want)
			}
		}
	}
}
