// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"cmp"
	"hash/fnv"
	"slices"

	"github.com/fqdn-egress/fqdn-egress/internal/dnsclient"
)

// maxClusterUpstreams is how many endpoints of the cluster's DNS are asked. CoreDNS is scaled to one replica for 16 nodes, so
// 64 cover a cluster of 1,000 nodes. Where it runs on each node there are hundreds, and with 1,000 names of TTL 30 each
// endpoint costs 67 questions a second.
const maxClusterUpstreams = 64

// sample leaves out endpoints of the cluster's DNS beyond maxClusterUpstreams, and returns how many it left out. Those with the lowest hash
// stay, so an endpoint that comes or goes changes at most one other (rendezvous hashing), and a new leader asks the same
// ones. Servers that are named on their own all stay.
func sample(us []Listed) (asked []Listed, left int) {
	type ranked struct {
		hash uint64
		at   int
	}
	var endpoints []ranked
	for i, u := range us {
		if u.Cluster {
			endpoints = append(endpoints, ranked{hashOf(u.Upstream), i})
		}
	}
	if len(endpoints) <= maxClusterUpstreams {
		return us, 0
	}
	slices.SortFunc(endpoints, func(a, b ranked) int { return cmp.Compare(a.hash, b.hash) })
	out := make(map[int]bool, len(endpoints)-maxClusterUpstreams)
	for _, e := range endpoints[maxClusterUpstreams:] {
		out[e.at] = true
	}
	for i, u := range us {
		if !out[i] {
			asked = append(asked, u)
		}
	}
	return asked, len(out)
}

func hashOf(u dnsclient.Upstream) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(u.String())) // never fails
	sum := h.Sum64()
	// FNV alone keeps neighbouring addresses together: the finalizer of MurmurHash3 spreads them.
	sum ^= sum >> 33
	sum *= 0xff51afd7ed558ccd
	sum ^= sum >> 33
	return sum
}

// noteUnasked reports, when it begins and when it ends, that not all endpoints of the cluster's DNS are asked.
func (r *Resolver) noteUnasked(left int) {
	r.metrics.unasked.Set(float64(left))
	if some := left > 0; some != r.noted.unasked {
		r.noted.unasked = some
		if some {
			r.options.Log.Info("The cluster's DNS has so many endpoints that only some are asked, always the same; names whose"+
				" addresses rotate may be told otherwise by the others", "asked", maxClusterUpstreams, "notAsked", left)
		} else {
			r.options.Log.Info("All endpoints of the cluster's DNS are asked again")
		}
	}
}
