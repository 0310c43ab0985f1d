// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"fmt"
	"net/netip"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// This file says, slowly and without any code of the package, what a set of NetworkPolicies allows.

// packet is one of the few kinds of traffic that the tests look at.
type packet struct {
	to       string // an address, or the text of selectors
	protocol string
	port     int32
}

// destinations are the addresses and selectors that random specs speak of.
func destinations() []string {
	out := []string{"pods a", "pods b", "2001:db8::1", "2001:db8::2", "10.96.0.10", "10.96.0.11", "pods kube-dns"}
	for i := range 8 {
		out = append(out, fmt.Sprintf("192.0.2.%d", i))
	}
	return out
}

func everyPacket() []packet {
	var out []packet
	for _, to := range destinations() {
		for _, port := range []int32{53, 80, 443, 450} {
			out = append(out, packet{to, "TCP", port}, packet{to, "UDP", port})
		}
	}
	return out
}

// allowed returns the packets that some rule of some object allows.
func allowed(objects cluster) map[packet]bool {
	out := map[packet]bool{}
	for _, np := range objects {
		for i := range np.Spec.Egress {
			for _, p := range everyPacket() {
				if matchesPorts(np.Spec.Egress[i].Ports, p) && matchesTo(np.Spec.Egress[i].To, p.to) {
					out[p] = true
				}
			}
		}
	}
	return out
}

func matchesPorts(ports []networkingv1.NetworkPolicyPort, p packet) bool {
	if len(ports) == 0 {
		return true
	}
	for _, q := range ports {
		protocol := "TCP"
		if q.Protocol != nil {
			protocol = string(*q.Protocol)
		}
		if protocol != p.protocol {
			continue
		}
		if q.Port == nil {
			return true
		}
		if q.Port.Type == intstr.String {
			continue // no pod here has named ports
		}
		last := q.Port.IntVal
		if q.EndPort != nil {
			last = *q.EndPort
		}
		if q.Port.IntVal <= p.port && p.port <= last {
			return true
		}
	}
	return false
}

func matchesTo(peers []networkingv1.NetworkPolicyPeer, to string) bool {
	if len(peers) == 0 {
		return true
	}
	for _, p := range peers {
		if p.IPBlock == nil {
			if to == "pods "+p.PodSelector.MatchLabels["app"]+p.PodSelector.MatchLabels["k8s-app"] {
				return true
			}
			continue
		}
		if a, err := netip.ParseAddr(to); err == nil && inBlock(p.IPBlock, a) {
			return true
		}
	}
	return false
}

func inBlock(b *networkingv1.IPBlock, a netip.Addr) bool {
	if !netip.MustParsePrefix(b.CIDR).Contains(a) {
		return false
	}
	for _, e := range b.Except {
		if netip.MustParsePrefix(e).Contains(a) {
			return false
		}
	}
	return true
}
