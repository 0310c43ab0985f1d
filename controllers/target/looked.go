// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"encoding/binary"
	"hash"
	"hash/fnv"
	"maps"
	"net/netip"
	"slices"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// basis stands for all that a decision is made of, but the time. Two that are equal lead to the same decision.
type basis struct {
	generation int64                // of the policy
	snapshot   addressbook.Revision // of what the book knows for it
	live       uint64               // hash of the names and versions of the NetworkPolicies
	cluster    uint64               // hash of the facts of the cluster's DNS and of the guard
}

// looked is the last look at a target that came to its end. The zero value: there was none.
type looked struct {
	at        time.Time
	basis     basis
	revisions []addressbook.Revision // of the names, in the order of the snapshot
	done      bool                   // false: something is left to do, or was not tried yet
	next      time.Time              // when time alone changes the decision; zero: never
}

// still tells whether a look now would find what the last one found: then nothing is compiled.
func (l *looked) still(b basis, now time.Time) bool {
	return l.done && l.basis == b && (l.next.IsZero() || l.next.After(now))
}

// clusterChanged tells whether the cluster adds something else to a decision than at the last look.
func (l *looked) clusterChanged(b basis) bool {
	return l.basis != (basis{}) && l.basis.cluster != b.cluster
}

// hashOfLive stands for the state of the NetworkPolicies, which are in the order of their names.
func hashOfLive(live []networkingv1.NetworkPolicy) uint64 {
	h := fnv.New64a()
	for i := range live {
		put(h, live[i].Name, string(live[i].UID), live[i].ResourceVersion)
	}
	return h.Sum64()
}

// hashOfCluster stands for what the cluster adds to a decision.
func hashOfCluster(dns netpol.DNS, guard netpol.Guard) uint64 {
	h := fnv.New64a()
	put(h, dns.Namespace)
	for _, k := range slices.Sorted(maps.Keys(dns.Selector)) {
		put(h, k, dns.Selector[k])
	}
	for _, addrs := range [][]netip.Addr{dns.ClusterIPs, dns.Extra} {
		putNumber(h, len(addrs))
		for _, a := range addrs {
			put(h, a.String())
		}
	}
	for _, ports := range [][]netpol.DNSPort{dns.ServicePorts, dns.TargetPorts} {
		putNumber(h, len(ports))
		for _, p := range ports {
			put(h, p.Protocol)
			putNumber(h, int(p.Port))
		}
	}
	for _, blocks := range [][]netip.Prefix{guard.Cluster, guard.NAT64} {
		putNumber(h, len(blocks))
		for _, b := range blocks {
			put(h, b.String())
		}
	}
	return h.Sum64()
}

// put adds strings so that no other strings add the same bytes.
func put(h hash.Hash64, parts ...string) {
	for _, p := range parts {
		putNumber(h, len(p))
		h.Write([]byte(p))
	}
}

func putNumber(h hash.Hash64, n int) { h.Write(binary.BigEndian.AppendUint64(nil, uint64(n))) }

// basis returns what the decision is made of.
func (s *situation) basis() basis {
	return basis{
		generation: s.policy.Generation,
		snapshot:   s.snapshot.Revision,
		live:       hashOfLive(s.live),
		cluster:    hashOfCluster(s.dns, s.guard),
	}
}
