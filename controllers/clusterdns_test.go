// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/fqdn-egress/fqdn-egress/internal/clusterdns"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

func TestDNSRemark_SaysWhatIsTheMatterAndWhatToSet(t *testing.T) {
	for name, tc := range map[string]struct {
		facts clusterdns.Facts
		says  []string // none: nothing is said
	}{
		"all is well": {clusterdns.Facts{Found: true, Asked: clusterdns.AskedEndpoints}, nil},
		"NodeLocal DNSCache is for the log": {
			clusterdns.Facts{Found: true, Asked: clusterdns.AskedEndpoints, NodeLocalDNS: true}, nil,
		},
		"no Service, pods ask an address": {
			clusterdns.Facts{Asked: clusterdns.AskedStandIns, StandIns: addrs("172.20.0.10")},
			[]string{"kube-system/kube-dns is not there", "172.20.0.10"},
		},
		"no endpoint, pods ask two addresses": {
			clusterdns.Facts{Found: true, Asked: clusterdns.AskedStandIns, StandIns: addrs("172.20.0.10", "fd00::a")},
			[]string{"kube-system/kube-dns has no ready endpoint", "172.20.0.10 and fd00::a"},
		},
		"no Service, and nothing is known": {
			clusterdns.Facts{}, []string{"kube-system/kube-dns is not there", "convention", "--cluster-dns-service", "set", "--cluster-dns to"},
		},
		"no endpoint, and nothing is known": {
			clusterdns.Facts{Found: true}, []string{"kube-system/kube-dns has no ready endpoint", "set --cluster-dns to"},
		},
		"pods ask another server": {
			clusterdns.Facts{Found: true, Asked: clusterdns.AskedEndpoints, OtherServers: addrs("169.254.169.254")},
			[]string{"169.254.169.254", "no address of the cluster DNS Service kube-system/kube-dns", "set --cluster-dns"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			remark := dnsRemarkOf(tc.facts, "kube-system/kube-dns")
			if (remark == "") != (len(tc.says) == 0) {
				t.Errorf("remark %q", remark)
			}
			for _, want := range tc.says {
				if !strings.Contains(remark, want) {
					t.Errorf("%q does not say %q", remark, want)
				}
			}
		})
	}
}

// What must be known is logged when it begins, when it becomes another, and when it ends.
func TestDNSNotices_AreLoggedOnce(t *testing.T) {
	var lines []string
	log := funcr.New(func(_, args string) { lines = append(lines, args) }, funcr.Options{})
	reported := &reportedNotices{}
	report := func(f clusterdns.Facts) (logged int) {
		before := len(lines)
		reported.log(log, dnsNotices(f, "kube-system/kube-dns"))
		return len(lines) - before
	}
	well := clusterdns.Facts{Found: true, Asked: clusterdns.AskedEndpoints}
	standIn := clusterdns.Facts{Asked: clusterdns.AskedStandIns, StandIns: addrs("172.20.0.10")}
	found := standIn
	found.Found = true
	for i, step := range []struct {
		facts clusterdns.Facts
		want  int
	}{{well, 0}, {standIn, 1}, {standIn, 0}, {found, 1}, {well, 1}, {well, 0}, {standIn, 1}} {
		if got := report(step.facts); got != step.want {
			t.Errorf("step %d: %d lines, want %d: %v", i, got, step.want, lines)
		}
	}
}

type fixedDNS clusterdns.Facts

func (f fixedDNS) Facts() clusterdns.Facts          { return clusterdns.Facts(f) }
func (f fixedDNS) OnChange(func())                  {}
func (f fixedDNS) WaitForSync(context.Context) bool { return true }

func TestDNSGauge(t *testing.T) {
	for name, tc := range map[string]struct {
		facts clusterdns.Facts
		want  string
	}{
		"all is well": {clusterdns.Facts{Found: true, Asked: clusterdns.AskedEndpoints}, "0 0 0 0"},
		"NodeLocal DNSCache, and pods ask it": {
			clusterdns.Facts{
				Found: true, Asked: clusterdns.AskedEndpoints, NodeLocalDNS: true, OtherServers: addrs("169.254.20.10"),
			}, "1 0 1 0",
		},
		"a stand-in": {clusterdns.Facts{Asked: clusterdns.AskedStandIns, StandIns: addrs("172.20.0.10")}, "0 0 0 1"},
		"nobody":     {clusterdns.Facts{}, "0 1 0 0"},
	} {
		t.Run(name, func(t *testing.T) {
			values := strings.Fields(tc.want)
			want := `# HELP fqdn_egress_cluster_dns_notice ` + dnsGaugeHelp + `
# TYPE fqdn_egress_cluster_dns_notice gauge
fqdn_egress_cluster_dns_notice{notice="nodelocal"} ` + values[0] + `
fqdn_egress_cluster_dns_notice{notice="no_server"} ` + values[1] + `
fqdn_egress_cluster_dns_notice{notice="other_servers"} ` + values[2] + `
fqdn_egress_cluster_dns_notice{notice="stand_in"} ` + values[3] + "\n"
			if err := testutil.CollectAndCompare(newDNSGauge(fixedDNS(tc.facts)), strings.NewReader(want)); err != nil {
				t.Error(err)
			}
		})
	}
}

// Pods must be let through to whoever stands in, at port 53, whatever the Service's ports are.
func TestDNSOf_StandIns(t *testing.T) {
	o := Options{ExtraDNS: addrs("169.254.20.10")}
	got := dnsOf(clusterdns.Facts{
		Found: true, Namespace: "kube-system", ServicePorts: []clusterdns.Port{{Protocol: "TCP", Port: 80}},
		Asked: clusterdns.AskedStandIns, StandIns: addrs("172.20.0.10"),
	}, o)
	want := netpol.DNS{
		Namespace: "kube-system", Extra: addrs("169.254.20.10", "172.20.0.10"), TargetPorts: []netpol.DNSPort{},
		ServicePorts: []netpol.DNSPort{{Protocol: "TCP", Port: 80}, {Protocol: "TCP", Port: 53}, {Protocol: "UDP", Port: 53}},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(addrs("192.0.2.1")[0])); diff != "" {
		t.Errorf("DNS (-want +got):\n%s", diff)
	}
	got = dnsOf(clusterdns.Facts{Asked: clusterdns.AskedStandIns, StandIns: addrs("172.20.0.10")}, Options{})
	want = netpol.DNS{Extra: addrs("172.20.0.10"), ServicePorts: []netpol.DNSPort{}, TargetPorts: []netpol.DNSPort{}}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(addrs("192.0.2.1")[0])); diff != "" {
		t.Errorf("DNS without the Service (-want +got):\n%s", diff)
	}
}
