// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package clusterdns

import (
	"net/netip"
	"slices"
	"time"
)

// How long what is gone still counts.
const (
	// serviceKept spans a Helm chart that is removed and installed again: no DNS rule changes meanwhile.
	serviceKept = 5 * time.Minute
	// endpointsKept spans a rollout in which no endpoint is ready for a moment: the last ones are asked on.
	endpointsKept = 30 * time.Second
)

// known is what is known at one instant: what the Service says or said, and what follows from it.
type known struct {
	service     Facts     // as it last was; zero: never there, or gone for serviceKept
	serviceGone time.Time // since when; zero: it is there
	// endpoints are the last that were ready; none: never any, or gone for endpointsKept.
	endpoints     []netip.AddrPort
	endpointsGone time.Time // since when; zero: there are some

	facts     Facts
	upstreams []netip.AddrPort
	due       time.Time // when time alone changes what is known; zero: never
}

// next returns what is known at now, when the API server has o and before was known.
//
//	Service    endpoints    in the DNS rule                  asked
//	there      ready        Service                          endpoints
//	there      gone, 10 s   Service                          endpoints as they were
//	there      gone, 30 s   Service, stand-ins               stand-ins
//	there      never        Service, stand-ins               stand-ins
//	gone, 10 s              Service as it was                endpoints as they were
//	gone, 30 s              Service as it was, stand-ins     stand-ins
//	gone, 5 m; never        stand-ins                        stand-ins
//
// Whatever comes back takes over at once.
func (k known) next(o objects, around Options, now time.Time) known {
	before := k
	k = known{
		service: read(o, before.service), serviceGone: goneSince(o.service != nil, before.serviceGone, now),
		endpoints: endpoints(o),
	}
	k.endpointsGone = goneSince(len(k.endpoints) > 0, before.endpointsGone, now)
	if before.service.Found && !k.service.Found && now.Before(k.serviceGone.Add(serviceKept)) {
		k.service, k.due = before.service, k.serviceGone.Add(serviceKept)
	}
	if len(before.endpoints) > 0 && len(k.endpoints) == 0 && now.Before(k.endpointsGone.Add(endpointsKept)) {
		k.endpoints, k.due = before.endpoints, k.endpointsGone.Add(endpointsKept) // the earlier of the two
	}
	return k.conclude(o.nodeLocal, around)
}

func goneSince(there bool, before, now time.Time) time.Time {
	switch {
	case there:
		return time.Time{}
	case before.IsZero():
		return now
	}
	return before
}

// conclude returns k with the facts and upstreams that follow from the rest.
func (k known) conclude(nodeLocal bool, around Options) known {
	k.facts = k.service
	k.facts.NodeLocalDNS = nodeLocal
	standIns := around.standIns()
	switch {
	case len(k.endpoints) > 0:
		k.facts.Asked, k.upstreams = AskedEndpoints, k.endpoints
	case len(standIns) > 0:
		k.facts.Asked, k.facts.StandIns = AskedStandIns, standIns
		for _, addr := range standIns {
			k.upstreams = append(k.upstreams, netip.AddrPortFrom(addr, dnsPort))
		}
		return k
	}
	if k.facts.Found {
		k.facts.OtherServers = k.otherServers(around)
	}
	return k
}

func (k known) otherServers(around Options) []netip.Addr {
	known := slices.Concat(k.facts.ClusterIPs, around.Extra)
	for _, endpoint := range k.endpoints {
		known = append(known, endpoint.Addr())
	}
	var others []netip.Addr
	for _, addr := range around.PodServers {
		if !slices.Contains(known, addr) {
			others = append(others, addr)
		}
	}
	return sortedSet(others, netip.Addr.Compare)
}
