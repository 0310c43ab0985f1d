// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func npPort(protocol corev1.Protocol, port any, end int32) networkingv1.NetworkPolicyPort {
	var p networkingv1.NetworkPolicyPort
	if protocol != "" {
		p.Protocol = &protocol
	}
	switch v := port.(type) {
	case int:
		p.Port = new(intstr.FromInt32(int32(v)))
	case string:
		p.Port = new(intstr.FromString(v))
	}
	if end != 0 {
		p.EndPort = &end
	}
	return p
}

func TestCanonicalPorts(t *testing.T) {
	type ports = []networkingv1.NetworkPolicyPort
	tests := map[string]struct {
		ports ports
		key   RuleKey
		want  ports
	}{
		"none is all":                  {ports{}, "", nil},
		"protocol defaults to TCP":     {ports{npPort("", 443, 0)}, "TCP/443", ports{npPort("TCP", 443, 0)}},
		"repeats, written differently": {ports{npPort("", 443, 0), npPort("TCP", 443, 443)}, "TCP/443", ports{npPort("TCP", 443, 0)}},
		"numbers sort as numbers":      {ports{npPort("TCP", 443, 0), npPort("TCP", 80, 0)}, "TCP/80,TCP/443", ports{npPort("TCP", 80, 0), npPort("TCP", 443, 0)}},
		"a range is not its start":     {ports{npPort("TCP", 8000, 8100)}, "TCP/8000-8100", ports{npPort("TCP", 8000, 8100)}},
		"named":                        {ports{npPort("TCP", "https", 0)}, "TCP/https", ports{npPort("TCP", "https", 0)}},
		"protocol only":                {ports{npPort("SCTP", nil, 0)}, "SCTP/*", ports{npPort("SCTP", nil, 0)}},
		"nothing at all is TCP":        {ports{npPort("", nil, 0)}, "TCP/*", ports{npPort("TCP", nil, 0)}},
		"protocols apart":              {ports{npPort("UDP", 53, 0), npPort("TCP", 53, 0)}, "TCP/53,UDP/53", ports{npPort("TCP", 53, 0), npPort("UDP", 53, 0)}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, key := canonicalPorts(tt.ports)
			if key != tt.key {
				t.Errorf("key = %q, want %q", key, tt.key)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("ports (-want +got):\n%s", diff)
			}
			if again, key := canonicalPorts(got); key != tt.key || !cmp.Equal(again, got) {
				t.Errorf("not canonical: a second pass gives %q", key)
			}
		})
	}
}

func TestSpanOverlaps(t *testing.T) {
	tests := []struct {
		a, b networkingv1.NetworkPolicyPort
		want bool
	}{
		{npPort("TCP", 443, 0), npPort("TCP", 443, 0), true},
		{npPort("TCP", 443, 0), npPort("TCP", 444, 0), false},
		{npPort("TCP", 443, 0), npPort("UDP", 443, 0), false},
		{npPort("TCP", 400, 443), npPort("TCP", 443, 500), true},
		{npPort("TCP", 400, 442), npPort("TCP", 443, 500), false},
		{npPort("TCP", nil, 0), npPort("TCP", 1, 0), true},
		{npPort("TCP", nil, 0), npPort("UDP", 1, 0), false},
		{npPort("TCP", "https", 0), npPort("TCP", 443, 0), true},
		{npPort("TCP", "https", 0), npPort("TCP", "web", 0), true},
		{npPort("TCP", "https", 0), npPort("UDP", "https", 0), false},
	}
	for _, tt := range tests {
		a, b := spanOf(&tt.a), spanOf(&tt.b)
		if a.overlaps(b) != tt.want || b.overlaps(a) != tt.want {
			t.Errorf("%v and %v: want %v", a, b, tt.want)
		}
	}
}
