// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/fqdn-egress/fqdn-egress/internal/clusterdns"
)

type fixedDNS clusterdns.Facts

func (f fixedDNS) Facts() clusterdns.Facts { return clusterdns.Facts(f) }

func TestDNSGauge(t *testing.T) {
	for name, tc := range map[string]struct {
		facts clusterdns.Facts
		want  string
	}{
		"all is well": {clusterdns.Facts{Found: true, Asked: clusterdns.AskedEndpoints}, "0 0 0 0"},
		"NodeLocal DNSCache, and pods ask it": {
			clusterdns.Facts{
				Found: true, Asked: clusterdns.AskedEndpoints, NodeLocalDNS: true, OtherServers: []netip.Addr{netip.MustParseAddr("169.254.20.10")},
			}, "1 0 1 0",
		},
		"a stand-in": {clusterdns.Facts{Asked: clusterdns.AskedStandIns, StandIns: []netip.Addr{netip.MustParseAddr("172.20.0.10")}}, "0 0 0 1"},
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
