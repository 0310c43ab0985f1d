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

const (
	// maxClusterQuestions bounds the questions to all of them together, which are kept for as long as their names are wanted:
	// 400,000 take 42 MB here, beside what the book has of them. Two endpoints are asked at least.
	//
	//	names    questions of an endpoint   endpoints that are asked
	//	3,000    6,000                      64
	//	10,000   20,000                     20
	//	50,000   100,000                    4
	maxClusterQuestions = 400_000
	minClusterUpstreams = 2
)

// clusterUpstreams is how many endpoints of the cluster's DNS are asked at most, with so many questions of each. It grows from what it was
// only to the double, so that names that come and go do not make endpoints come and go.
func clusterUpstreams(questions, limit, was int) int {
	fit := min(max(limit/max(questions, 1), minClusterUpstreams), maxClusterUpstreams)
	if fit > was && fit < maxClusterUpstreams && fit < 2*was {
		return was
	}
	return fit
}

// sample leaves out endpoints of the cluster's DNS beyond most, and returns how many it left out. Those with the lowest hash
// stay, so an endpoint that comes or goes changes at most one other (rendezvous hashing), and a new leader asks the same
// ones. Servers that are named on their own all stay.
func sample(us []Listed, most int) (asked []Listed, left int) {
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
	if len(endpoints) <= most {
		return us, 0
	}
	slices.SortFunc(endpoints, func(a, b ranked) int { return cmp.Compare(a.hash, b.hash) })
	out := make(map[int]bool, len(endpoints)-most)
	for _, e := range endpoints[most:] {
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
				" addresses rotate may be told otherwise by the others", "asked", r.endpoints, "notAsked", left)
		} else {
			r.options.Log.Info("All endpoints of the cluster's DNS are asked again")
		}
	}
}
