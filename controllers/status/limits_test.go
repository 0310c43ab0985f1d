// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/controllers/metrics"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

// A status says which limit it is, and the flag where one helps.
func TestLimits_AreSaidInWords(t *testing.T) {
	for limit, says := range map[addressbook.Limit]string{
		addressbook.NamesPerTenant:     "--max-names-per-namespace",
		addressbook.NamesOfProcess:     "as many names as the controller can hold",
		addressbook.ListingsPerTenant:  "make them one policy",
		addressbook.ListingsOfProcess:  "as many listings (each policy that lists a name counts) as the controller can hold",
		addressbook.AddressesPerName:   "--max-addresses-per-name;",
		addressbook.AddressesPerTenant: "--max-addresses-per-namespace",
		addressbook.AddressesOfProcess: "as many as the controller can hold",
	} {
		f := someFindings(t, func(f *findings) { f.result.Names[0].Special.Limit = limit })
		message := meta.FindStatusCondition(statusFor(f, testNow).Conditions, v1alpha1.ConditionProgrammed).Message
		if !strings.Contains(message, says) || !strings.Contains(message, "www.example.com") {
			t.Errorf("limit %d: %q", limit, message)
		}
		if len(f.limits()) != 1 {
			t.Errorf("limit %d: metrics %v", limit, f.limits())
		}
	}
	seen := map[string]bool{}
	for _, limit := range []metrics.Limit{metrics.WriteBudget, metrics.BytesPerNamespace, metrics.PoolBytesPerNamespace, metrics.BytesOfProcess} {
		f := someFindings(t, func(f *findings) { f.result.Limit = limit })
		message := meta.FindStatusCondition(statusFor(f, testNow).Conditions, v1alpha1.ConditionProgrammed).Message
		if seen[message] || !strings.Contains(message, "ipBlock") {
			t.Errorf("limit %s: %q", limit, message)
		}
		seen[message] = true
		if !slices.Equal(f.limits(), []metrics.Limit{limit}) {
			t.Errorf("limit %s: metrics %v", limit, f.limits())
		}
	}
}

// Peers that are left out for want of room are told with the limit, and its flag where there is one.
func TestLimits_OfPeersAreSaidInWords(t *testing.T) {
	for limit, says := range map[metrics.Limit]string{
		metrics.PeersPerNamespace: "--max-peers-per-namespace",
		metrics.PeersOfProcess:    "as many peers as the controller can hold",
	} {
		f := someFindings(t, func(f *findings) { f.result.NoRoom, f.result.RoomLimit = 7, limit })
		c := meta.FindStatusCondition(statusFor(f, testNow).Conditions, v1alpha1.ConditionProgrammed)
		if c.Reason != v1alpha1.ReasonLimitReached || !strings.HasPrefix(c.Message, "7 peers are left out") ||
			!strings.Contains(c.Message, says) || !strings.Contains(c.Message, "make them one") {
			t.Errorf("limit %s: %s: %q", limit, c.Reason, c.Message)
		}
		if !slices.Equal(f.limits(), []metrics.Limit{limit}) || !slices.Contains(metrics.Limits(), limit) {
			t.Errorf("limit %s: metrics %v", limit, f.limits())
		}
	}
}

// Every limit that the book knows is told; a new one must not be silent.
func TestLimits_AllOfTheBook(t *testing.T) {
	known := map[addressbook.Limit]bool{}
	for _, l := range bookLimits() {
		known[l.limit] = true
		if !slices.Contains(metrics.Limits(), l.metric) {
			t.Errorf("the metric of limit %d does not start at zero", l.limit)
		}
	}
	for limit := addressbook.NoLimit + 1; limit <= addressbook.AddressesOfProcess; limit++ {
		if !known[limit] {
			t.Errorf("limit %d is told nowhere", limit)
		}
	}
}
