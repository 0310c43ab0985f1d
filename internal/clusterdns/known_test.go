// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package clusterdns

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/fqdn-egress/fqdn-egress/test/given"
)

// moment is what the API server has at one time, and what is known then.
type moment struct {
	at        time.Duration
	have      objects
	found     bool
	asked     Asked
	upstreams []netip.AddrPort
	due       time.Duration // 0: never
}

func TestKnown_WhatIsGoneIsKeptForAWhile(t *testing.T) {
	pods := Options{PodServers: given.Addrs("10.96.0.10")}
	full := objects{service: service(), slices: list(slice("10.0.0.1"))}
	noEndpoints := objects{service: service(), slices: list(slice("10.0.0.1", ready(false)))}
	gone := objects{slices: list(slice("10.0.0.1"))}
	endpoint, standIn := addrPorts("10.0.0.1:53"), addrPorts("10.96.0.10:53")
	const s, m = time.Second, time.Minute
	tests := []struct {
		name    string
		around  Options
		moments []moment
	}{
		{"no Service from the start: the stand-in at once", pods, []moment{
			{0, objects{}, false, AskedStandIns, standIn, 0},
			{m, full, true, AskedEndpoints, endpoint, 0},
		}},
		{"a Service without endpoints from the start: the stand-in at once", pods, []moment{
			{0, noEndpoints, true, AskedStandIns, standIn, 0},
			{s, full, true, AskedEndpoints, endpoint, 0},
		}},
		{"no Service, and nobody stands in", Options{}, []moment{
			{0, objects{}, false, AskedNobody, nil, 0},
			{m, noEndpoints, true, AskedNobody, nil, 0},
		}},
		{"--cluster-dns stands in where resolv.conf says nothing", Options{Extra: given.Addrs("172.20.0.10")}, []moment{
			{0, objects{}, false, AskedStandIns, addrPorts("172.20.0.10:53"), 0},
		}},
		{"resolv.conf goes before --cluster-dns", Options{PodServers: given.Addrs("10.96.0.10"), Extra: given.Addrs("169.254.20.10")}, []moment{
			{0, objects{}, false, AskedStandIns, standIn, 0},
		}},
		{"a rollout without any ready endpoint", pods, []moment{
			{0, full, true, AskedEndpoints, endpoint, 0},
			{m, noEndpoints, true, AskedEndpoints, endpoint, m + 30*s},
			{m + 29*s, noEndpoints, true, AskedEndpoints, endpoint, m + 30*s},
			{m + 30*s, noEndpoints, true, AskedStandIns, standIn, 0},
			{m + 40*s, full, true, AskedEndpoints, endpoint, 0},
		}},
		{"a rollout, and nobody stands in", Options{}, []moment{
			{0, full, true, AskedEndpoints, endpoint, 0},
			{m, noEndpoints, true, AskedEndpoints, endpoint, m + 30*s},
			{m + 30*s, noEndpoints, true, AskedNobody, nil, 0},
		}},
		{"each rollout has its own time", pods, []moment{
			{0, full, true, AskedEndpoints, endpoint, 0},
			{m, noEndpoints, true, AskedEndpoints, endpoint, m + 30*s},
			{m + 20*s, full, true, AskedEndpoints, endpoint, 0},
			{m + 40*s, noEndpoints, true, AskedEndpoints, endpoint, m + 70*s},
		}},
		{"a Service that is removed and made again", pods, []moment{
			{0, full, true, AskedEndpoints, endpoint, 0},
			{m, gone, true, AskedEndpoints, endpoint, m + 30*s},
			{m + 30*s, gone, true, AskedStandIns, standIn, 6 * m},
			{5 * m, gone, true, AskedStandIns, standIn, 6 * m},
			{5*m + s, full, true, AskedEndpoints, endpoint, 0},
		}},
		{"a Service that is gone for good", pods, []moment{
			{0, full, true, AskedEndpoints, endpoint, 0},
			{m, gone, true, AskedEndpoints, endpoint, m + 30*s},
			{m + 30*s, gone, true, AskedStandIns, standIn, 6 * m},
			{6 * m, gone, false, AskedStandIns, standIn, 0},
			{7 * m, gone, false, AskedStandIns, standIn, 0},
		}},
	}
	start := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := known{}
			for _, m := range tt.moments {
				k = k.next(m.have, tt.around, start.Add(m.at))
				var due time.Time
				if m.due != 0 {
					due = start.Add(m.due)
				}
				if k.facts.Found != m.found || k.facts.Asked != m.asked || !k.due.Equal(due) {
					t.Errorf("at %s: found %t, asked %d, due %s; want %t, %d, %s",
						m.at, k.facts.Found, k.facts.Asked, k.due, m.found, m.asked, due)
				}
				if diff := cmp.Diff(m.upstreams, k.upstreams, byValue); diff != "" {
					t.Errorf("at %s, upstreams (-want +got):\n%s", m.at, diff)
				}
			}
		})
	}
}

// What is kept of a Service is all that its DNS rule is made of.
func TestKnown_KeepsTheWholeServiceButNotNodeLocal(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	full := objects{service: service(namedTargets), slices: list(slice("10.0.0.1", on(5353))), nodeLocal: true}
	before := known{}.next(full, Options{}, now)
	after := before.next(objects{}, Options{}, now.Add(time.Second))
	want := before.facts
	want.NodeLocalDNS = false
	if diff := cmp.Diff(want, after.facts, byValue); diff != "" {
		t.Errorf("facts while the Service is gone (-want +got):\n%s", diff)
	}
}

func TestKnown_OtherServers(t *testing.T) {
	full := objects{service: service(), slices: list(slice("10.0.0.1"))}
	tests := []struct {
		name   string
		have   objects
		around Options
		want   []netip.Addr
	}{
		{"pods ask the Service", full, Options{PodServers: given.Addrs("10.96.0.10")}, nil},
		{"it is not known whom pods ask", full, Options{Extra: given.Addrs("169.254.20.10")}, nil},
		{"pods ask a cache of the node", full, Options{PodServers: given.Addrs("169.254.20.10")}, given.Addrs("169.254.20.10")},
		{"which is in --cluster-dns", full, Options{PodServers: given.Addrs("169.254.20.10"), Extra: given.Addrs("169.254.20.10")}, nil},
		{"pods ask the Service and another", full, Options{PodServers: given.Addrs("169.254.20.10", "10.96.0.10")}, given.Addrs("169.254.20.10")},
		{"pods ask the Service in one family, and an old address in the other", full,
			Options{PodServers: given.Addrs("10.96.0.10", "fd00::a")}, given.Addrs("fd00::a")},
		{"a headless Service: pods ask its endpoint", objects{
			service: service(func(s *corev1.Service) {
				s.Spec.ClusterIP, s.Spec.ClusterIPs = corev1.ClusterIPNone, []string{corev1.ClusterIPNone}
			}),
			slices: list(slice("10.0.0.1")),
		}, Options{PodServers: given.Addrs("10.0.0.1")}, nil},
		{"the stand-ins are asked", objects{service: service()}, Options{PodServers: given.Addrs("169.254.20.10")}, nil},
		{"no Service", objects{}, Options{PodServers: given.Addrs("169.254.20.10")}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := known{}.next(tt.have, tt.around, time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC))
			if diff := cmp.Diff(tt.want, k.facts.OtherServers, byValue); diff != "" {
				t.Errorf("other servers (-want +got):\n%s", diff)
			}
		})
	}
}
