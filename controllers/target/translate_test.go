// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fqdn-egress/fqdn-egress/internal/clusterdns"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

// Pods must be let through to whoever stands in, at port 53, whatever the Service's ports are.
func TestDNSOf_StandIns(t *testing.T) {
	got := dnsOf(clusterdns.Facts{
		Found: true, Namespace: "kube-system", ServicePorts: []clusterdns.Port{{Protocol: "TCP", Port: 80}},
		Asked: clusterdns.AskedStandIns, StandIns: given.Addrs("172.20.0.10"),
	}, given.Addrs("169.254.20.10"))
	want := netpol.DNS{
		Namespace: "kube-system", Extra: given.Addrs("169.254.20.10", "172.20.0.10"), TargetPorts: []netpol.DNSPort{},
		ServicePorts: []netpol.DNSPort{{Protocol: "TCP", Port: 80}, {Protocol: "TCP", Port: 53}, {Protocol: "UDP", Port: 53}},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(given.Addrs("192.0.2.1")[0])); diff != "" {
		t.Errorf("DNS (-want +got):\n%s", diff)
	}
	got = dnsOf(clusterdns.Facts{Asked: clusterdns.AskedStandIns, StandIns: given.Addrs("172.20.0.10")}, nil)
	want = netpol.DNS{Extra: given.Addrs("172.20.0.10"), ServicePorts: []netpol.DNSPort{}, TargetPorts: []netpol.DNSPort{}}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(given.Addrs("192.0.2.1")[0])); diff != "" {
		t.Errorf("DNS without the Service (-want +got):\n%s", diff)
	}
}
