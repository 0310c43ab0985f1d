// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/netip"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

// sharedName is the name that all policies list where workload.shared is set.
const sharedName = "shared.bench.example"

// The address types of DNS.
const (
	typeA    uint16 = 1
	typeAAAA uint16 = 28
)

// port is the only one that the policies open.
const port = 443

// workload is a set of policies and the names in them. Every name has one address in each family.
type workload struct {
	policies, perPolicy, names int
	shared                     bool // the first name of each policy is sharedName, beside the others
	ttl                        dnstest.TTL
}

func policyName(i int) string { return fmt.Sprintf("policy-%05d", i) }

func hostName(k int) string { return fmt.Sprintf("host-%05d.bench.example", k) }

// addressesOf returns those of the k-th name, IPv4 first.
func addressesOf(k int) []string {
	return []string{
		netip.AddrFrom4([4]byte{198, 18 + byte(k>>16), byte(k >> 8), byte(k)}).String(),
		netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 13: byte(k >> 16), 14: byte(k >> 8), 15: byte(k)}).String(),
	}
}

// sharedAddresses returns those of sharedName after that many moves.
func sharedAddresses(moves4, moves6 int) []string {
	return []string{fmt.Sprintf("203.0.113.%d", moves4+1), fmt.Sprintf("2001:db8:ffff::%d", moves6+1)}
}

// indexes returns which names the i-th policy lists: the next ones, round and round.
func (w workload) indexes(i int) []int {
	own := w.perPolicy
	if w.shared {
		own--
	}
	ks := make([]int, own)
	for j := range ks {
		ks[j] = (i*own + j) % w.names
	}
	return ks
}

// distinct is how many names the policies list together.
func (w workload) distinct() int {
	own := w.perPolicy
	if w.shared {
		own--
	}
	n := min(w.names, w.policies*own)
	if w.shared {
		n++
	}
	return n
}

// load tells the DNS server all names.
func (w workload) load(dns *dnstest.Server) {
	for k := range w.names {
		dns.Set(hostName(k), w.ttl, addressesOf(k)...)
	}
	if w.shared {
		dns.Set(sharedName, w.ttl, sharedAddresses(0, 0)...)
	}
}

// policy returns the i-th.
func (w workload) policy(i int) *v1alpha1.FQDNEgressPolicy {
	number := intstr.FromInt32(port)
	rule := v1alpha1.EgressRule{Ports: []v1alpha1.EgressPort{{Port: &number}}}
	if w.shared {
		rule.To = append(rule.To, v1alpha1.EgressPeer{FQDN: sharedName})
	}
	for _, k := range w.indexes(i) {
		rule.To = append(rule.To, v1alpha1.EgressPeer{FQDN: v1alpha1.FQDN(hostName(k))})
	}
	p := &v1alpha1.FQDNEgressPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: policyName(i)}}
	p.Spec.PodSelector.MatchLabels = map[string]v1alpha1.LabelValue{"app": v1alpha1.LabelValue(policyName(i))}
	p.Spec.Egress = []v1alpha1.EgressRule{rule}
	return p
}

// wants returns what the NetworkPolicy of each policy must hold to be complete.
func (w workload) wants() map[string][]peer {
	wants := make(map[string][]peer, w.policies)
	for i := range w.policies {
		var peers []peer
		if w.shared {
			peers = append(peers, peersOf(sharedAddresses(0, 0)...)...)
		}
		for _, k := range w.indexes(i) {
			peers = append(peers, peersOf(addressesOf(k)...)...)
		}
		wants[networkPolicyName(i)] = peers
	}
	return wants
}

// networkPolicyName is that of the i-th policy's only NetworkPolicy.
func networkPolicyName(i int) string { return policyName(i) + "-fqdn" }
