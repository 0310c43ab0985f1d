// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"strings"
	"testing"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
)

// A Service address is no destination that an ipBlock is sure to match, and no host of outside has one: it is refused
// even where the policy allows private space, and the status says why.
func TestEdge22_ServiceAddressesAreRefused(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "10.0.0.1", "10.9.9.9", "192.0.2.1") // envtest's Service range is 10.0.0.0/24
	w.start()
	w.create("web", func(s *v1alpha1.FQDNEgressPolicySpec) { s.AllowedPrivateCIDRs = []v1alpha1.CIDR{"10.0.0.0/8"} },
		rule(443, "www.example.com"))
	w.wantAllowed(443, "10.9.9.9", "192.0.2.1")
	refused := w.wantState("web", "www.example.com", v1alpha1.FQDNResolved).Refused
	if len(refused) != 1 || refused[0].Address != "10.0.0.1" || !strings.Contains(refused[0].Reason, "10.0.0.0/24") {
		t.Errorf("refused: %+v", refused)
	}
}

// The search list of the controller's resolv.conf is not the pods': names are asked as they are.
func TestEdge28_NamesAreAskedAsTheyAre(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.create("web", nil, rule(443, "missing.example.com")) // NXDOMAIN is what makes a stub try its search list
	w.wantState("web", "missing.example.com", v1alpha1.FQDNNotFound)
	if all, own := w.dns.Count(""), w.dns.Count("missing.example.com"); all != own || own == 0 {
		t.Errorf("%d queries, of them %d for the name as it is", all, own)
	}
}
