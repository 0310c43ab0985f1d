// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/netip"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
	"github.com/fqdn-egress/fqdn-egress/test/rules"
	"github.com/fqdn-egress/fqdn-egress/test/tenants"
)

// sharedName is the name that all policies list where workload.shared is set.
const sharedName = "shared.bench.example"

// The address types of DNS.
const (
	typeA    uint16 = 1
	typeAAAA uint16 = 28
)

// workload is a set of policies and the names in them. Every name has one address in each family.
type workload struct {
	policies, perPolicy, names int
	namespaces                 int  // over which the policies are spread; 0: one
	shared                     bool // the first name of each policy is sharedName, beside the others
	ttl                        dnstest.TTL
	longestTTL                 dnstest.TTL // those of the names are spread evenly from ttl to this; 0: all have ttl
	further                    int         // IPv6 addresses that each name has beside its two
	servers                    int         // that are asked, of which each says the same; 0: one
}

func policyName(i int) string { return fmt.Sprintf("policy-%05d", i) }

func namespaceName(n int) string { return fmt.Sprintf("bench-%03d", n) }

// key returns where the i-th policy is.
func (w workload) key(i int) types.NamespacedName {
	return types.NamespacedName{Namespace: namespaceName(i % max(w.namespaces, 1)), Name: policyName(i)}
}

// allNamespaces returns those of the policies.
func (w workload) allNamespaces() []string {
	names := make([]string, max(w.namespaces, 1))
	for n := range names {
		names[n] = namespaceName(n)
	}
	return names
}

// ttlOf returns that of the k-th name.
func (w workload) ttlOf(k int) dnstest.TTL {
	if w.longestTTL <= w.ttl || w.names < 2 {
		return w.ttl
	}
	part := time.Duration(w.longestTTL-w.ttl) / time.Duration(w.names-1)
	return w.ttl + dnstest.TTL((time.Duration(k) * part).Truncate(time.Second))
}

func hostName(k int) string { return fmt.Sprintf("host-%05d.bench.example", k) }

// addressesOf returns those of the k-th name, IPv4 first.
func (w workload) addressesOf(k int) []string {
	addrs := []string{netip.AddrFrom4([4]byte{198, 18 + byte(k>>16), byte(k >> 8), byte(k)}).String()}
	for i := range 1 + w.further {
		addr := [16]byte{0x20, 0x01, 0x0d, 0xb8, 11: byte(i >> 8), 12: byte(i), 13: byte(k >> 16), 14: byte(k >> 8), 15: byte(k)}
		addrs = append(addrs, netip.AddrFrom16(addr).String())
	}
	return addrs
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
		dns.Set(hostName(k), w.ttlOf(k), w.addressesOf(k)...)
	}
	if w.shared {
		dns.Set(sharedName, w.ttl, sharedAddresses(0, 0)...)
	}
}

// policy returns the i-th.
func (w workload) policy(i int) *v1alpha1.FQDNEgressPolicy {
	var hosts []string
	if w.shared {
		hosts = append(hosts, sharedName)
	}
	for _, k := range w.indexes(i) {
		hosts = append(hosts, hostName(k))
	}
	return tenants.Policy(w.key(i).Namespace, w.key(i).Name, hosts...)
}

// wants returns what the NetworkPolicy of each policy must hold to be complete.
func (w workload) wants() map[types.NamespacedName][]rules.Peer {
	wants := make(map[types.NamespacedName][]rules.Peer, w.policies)
	for i := range w.policies {
		var addrs []string
		if w.shared {
			addrs = sharedAddresses(0, 0)
		}
		for _, k := range w.indexes(i) {
			addrs = append(addrs, w.addressesOf(k)...)
		}
		wants[w.networkPolicy(i)] = rules.Peers(tenants.Port, addrs...)
	}
	return wants
}

// allWant returns that the NetworkPolicy of each policy shall hold these addresses.
func (w workload) allWant(addrs ...string) map[types.NamespacedName][]rules.Peer {
	wants := make(map[types.NamespacedName][]rules.Peer, w.policies)
	for i := range w.policies {
		wants[w.networkPolicy(i)] = rules.Peers(tenants.Port, addrs...)
	}
	return wants
}

// networkPolicy is the key of the i-th policy's only NetworkPolicy.
func (w workload) networkPolicy(i int) types.NamespacedName {
	key := w.key(i)
	key.Name += "-fqdn"
	return key
}
