// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package clusterdns

import (
	"strings"
	"testing"

	"github.com/fqdn-egress/fqdn-egress/test/given"
)

func TestStatusNotice_SaysWhatIsTheMatterAndWhatToSet(t *testing.T) {
	for name, tc := range map[string]struct {
		facts Facts
		says  []string // none: nothing is said
	}{
		"all is well":                       {Facts{Found: true, Asked: AskedEndpoints}, nil},
		"NodeLocal DNSCache is for the log": {Facts{Found: true, Asked: AskedEndpoints, NodeLocalDNS: true}, nil},
		"no Service, pods ask an address": {
			Facts{Asked: AskedStandIns, StandIns: given.Addrs("172.20.0.10")},
			[]string{"kube-system/kube-dns is not there", "172.20.0.10"},
		},
		"no endpoint, pods ask two addresses": {
			Facts{Found: true, Asked: AskedStandIns, StandIns: given.Addrs("172.20.0.10", "fd00::a")},
			[]string{"kube-system/kube-dns has no ready endpoint", "172.20.0.10 and fd00::a"},
		},
		"no Service, and nothing is known": {
			Facts{}, []string{"kube-system/kube-dns is not there", "convention", "--cluster-dns-service", "set", "--cluster-dns to"},
		},
		"no endpoint, and nothing is known": {
			Facts{Found: true}, []string{"kube-system/kube-dns has no ready endpoint", "set --cluster-dns to"},
		},
		"pods ask another server": {
			Facts{Found: true, Asked: AskedEndpoints, OtherServers: given.Addrs("169.254.169.254")},
			[]string{"169.254.169.254", "no address of the cluster DNS Service kube-system/kube-dns", "set --cluster-dns"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			text := StatusNotice(tc.facts, "kube-system/kube-dns")
			if (text == "") != (len(tc.says) == 0) {
				t.Errorf("says %q", text)
			}
			for _, want := range tc.says {
				if !strings.Contains(text, want) {
					t.Errorf("%q does not say %q", text, want)
				}
			}
		})
	}
}
