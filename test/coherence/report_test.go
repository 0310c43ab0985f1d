// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
)

// TestExposure counts what is allowed beyond the answers that last, after the first minute, and writes once all is known.
func TestExposure(t *testing.T) {
	t0 := time.Now()
	s := &site{shape: shape{Pool: 3, PerAnswer: 1, TTL: 5, Replicas: 1}, history: newHistory(),
		authority: &authority{until: map[netip.Addr]time.Time{}}}
	s.authority.note([]netip.Addr{netip.MustParseAddr("198.18.0.1")}, t0.Add(65*time.Second))
	s.programmed(set("198.18.0.1", "198.18.0.2"), t0)
	s.sample(t0.Add(10 * time.Second)) // the first minute is not counted
	s.sample(t0.Add(61 * time.Second))
	s.programmed(set("198.18.0.1", "198.18.0.2", "198.18.0.3"), t0.Add(62*time.Second))
	s.reported(v1alpha1.FQDNEgressPolicyStatus{}, t0.Add(63*time.Second)) // the status of that write
	s.sample(t0.Add(66 * time.Second))
	s.reported(v1alpha1.FQDNEgressPolicyStatus{FQDNs: []v1alpha1.FQDNStatus{{Pool: &v1alpha1.PoolStatus{Seen: 3, Estimated: 4}}}}, t0.Add(70*time.Second))
	r := s.result()
	if r.Allowed != 2.5 || r.Exposure != 2 || r.Writes.AfterKnown != 1 || r.Writes.NetworkPolicy != 2 {
		t.Errorf("%+v", r)
	}
	var out strings.Builder
	if err := table(&out, []result{r}); err != nil || !strings.Contains(out.String(), "3,1,5,1") || !strings.Contains(out.String(), "3 of 4") {
		t.Errorf("%v: %s", err, out.String())
	}
}

func TestMissedAims(t *testing.T) {
	of := func(pool, missed, lookups int) result {
		r := result{shape: shape{Pool: pool, PerAnswer: 1, TTL: 5, Replicas: 1}}
		r.After = counts{Lookups: lookups, Missed: [connects]int{missed}}
		return r
	}
	got := missedAims([]result{of(64, 1, 1000), of(40, 2, 1000), of(4096, 25, 1000), of(4095, 26, 1000), of(6, 0, 0)})
	if diff := cmp.Diff([]string{"n40-k1-ttl5-r1", "n4095-k1-ttl5-r1", "n6-k1-ttl5-r1"}, got); diff != "" {
		t.Errorf("-want +got: %s", diff)
	}
}

func TestAllowedByIgnoresWhatIsNotOfAPool(t *testing.T) {
	np := &networkingv1.NetworkPolicy{}
	np.Spec.Egress = []networkingv1.NetworkPolicyEgressRule{{To: []networkingv1.NetworkPolicyPeer{
		{IPBlock: &networkingv1.IPBlock{CIDR: "198.18.0.1/32"}}, {IPBlock: &networkingv1.IPBlock{CIDR: "198.18.0.0/24"}},
		{IPBlock: &networkingv1.IPBlock{CIDR: "10.0.0.10/32"}}, {},
	}}}
	if got := allowedBy(np); len(got) != 1 || !got[netip.MustParseAddr("198.18.0.1")] {
		t.Errorf("%v", got)
	}
}
