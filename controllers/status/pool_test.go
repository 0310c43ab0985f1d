// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

func TestPoolInStatus(t *testing.T) {
	rotates := func(unseen int) addressbook.Rotation { return addressbook.Rotation{Rotates: true, Unseen: unseen} }
	for name, tc := range map[string]struct {
		rotation addressbook.Rotation
		allowed  int // addresses that the book knows
		carried  int // more that were carried over a restart
		answered int // of the known ones, were carried too
		before   *v1alpha1.PoolStatus
		want     *v1alpha1.PoolStatus
	}{
		"does not rotate":             {allowed: 4},
		"known":                       {rotation: rotates(0), allowed: 40, want: &v1alpha1.PoolStatus{Seen: 40, Estimated: 40}},
		"known, and more digits":      {rotation: rotates(0), allowed: 256, want: &v1alpha1.PoolStatus{Seen: 256, Estimated: 256}},
		"a part":                      {rotation: rotates(3620), allowed: 480, want: &v1alpha1.PoolStatus{Seen: 480, Estimated: 4100}},
		"rounded down below the seen": {rotation: rotates(1), allowed: 43, want: &v1alpha1.PoolStatus{Seen: 43, Estimated: 44}},
		"no more than the seen left of the digits": {rotation: rotates(1), allowed: 103,
			want: &v1alpha1.PoolStatus{Seen: 103, Estimated: 103}},
		"rotates no more": {allowed: 4, before: &v1alpha1.PoolStatus{Seen: 40, Estimated: 40}},
		"after a restart": {rotation: rotates(9), allowed: 12, carried: 28, before: &v1alpha1.PoolStatus{Seen: 40, Estimated: 41},
			want: &v1alpha1.PoolStatus{Seen: 40, Estimated: 41}},
		"after a restart, and the pool grew": {allowed: 20, carried: 28, before: &v1alpha1.PoolStatus{Seen: 40, Estimated: 41},
			want: &v1alpha1.PoolStatus{Seen: 48, Estimated: 48}},
		"after a restart, and all were answered before it is known to rotate": {allowed: 40, answered: 40,
			before: &v1alpha1.PoolStatus{Seen: 40, Estimated: 41}, want: &v1alpha1.PoolStatus{Seen: 40, Estimated: 41}},
	} {
		t.Run(name, func(t *testing.T) {
			f := someFindings(t, nil)
			www := f.result.Names[0].Pattern
			f.result.Names[0].Special.Rotation = tc.rotation
			allowAll(&f, www, block(0, tc.allowed+tc.carried))
			f.result.Names[0].Carried = tc.answered+tc.carried > 0
			f.policy.Status.FQDNs = []v1alpha1.FQDNStatus{{FQDN: "www.example.com", State: v1alpha1.FQDNResolved, Pool: tc.before}}
			if d := cmp.Diff(tc.want, statusFor(f, testNow).FQDNs[0].Pool); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// block returns n addresses from 10.0.0.0 + first on.
func block(first, n int) []netip.Addr {
	var addrs []netip.Addr
	for i := first; i < first+n; i++ {
		addrs = append(addrs, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
	}
	return addrs
}

// TestPoolTooLarge: the status says why a pool is not covered, and what of what the reader can change would help.
func TestPoolTooLarge(t *testing.T) {
	for name, tc := range map[string]struct {
		uncovered addressbook.Uncovered
		retention *int32
		message   string // of the policy's own
		want      []string
		not       string
	}{
		"covered":                 {uncovered: addressbook.Covered, not: "pool"},
		"too many":                {uncovered: addressbook.TooMany, want: []string{"--max-addresses-per-name", "ipBlock"}, not: "retention"},
		"too slow":                {uncovered: addressbook.TooSlow, want: []string{"--max-retention", "ipBlock"}, not: "retentionSeconds"},
		"too slow for the policy": {uncovered: addressbook.TooSlow, retention: new(int32(60)), want: []string{"retentionSeconds 60", "leave that unset"}, not: "--max"},
		"forgotten":               {uncovered: addressbook.Forgotten, want: []string{"its share", "ipBlock"}, not: "--max"},
		"an error says more":      {uncovered: addressbook.TooMany, message: "SERVFAIL for A from 192.0.2.53:53 while others answer", not: "--max"},
	} {
		t.Run(name, func(t *testing.T) {
			f := someFindings(t, nil)
			e := &f.result.Names[0]
			e.Special.Rotation = addressbook.Rotation{Rotates: true, Uncovered: tc.uncovered}
			e.Special.Message, f.policy.Spec.RetentionSeconds = tc.message, tc.retention
			status := statusFor(f, testNow)
			message := status.FQDNs[0].Message
			for _, want := range tc.want {
				if !strings.Contains(message, want) {
					t.Errorf("%q lacks %q", message, want)
				}
			}
			if strings.Contains(message, tc.not) {
				t.Errorf("%q has %q", message, tc.not)
			}
			ready := status.Conditions[0].Message
			if told := strings.Contains(ready, "pool"); told != (tc.uncovered != addressbook.Covered) {
				t.Errorf("the condition says %q", ready)
			}
			if status.Conditions[0].Status != "True" {
				t.Errorf("not ready: %q", ready)
			}
		})
	}
}
