// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package clusterdns follows the Service of the cluster's DNS and its EndpointSlices: the addresses that the resolver
// asks, and the facts that the DNS rule is made of.
//
// The informers only say that something changed. What follows from it is decided by one pure function, read.
package clusterdns

import (
	"maps"
	"net/netip"
	"slices"
)

// NodeLocalService is the name of the Service by which NodeLocal DNSCache reaches the cluster's DNS. Kubernetes' manifest
// creates it beside kube-dns; where it exists, nodes answer pods from caches of their own.
const NodeLocalService = "kube-dns-upstream"

// Port is a port of the DNS Service or of its pods.
type Port struct {
	Protocol string // "UDP" or "TCP"
	Port     int32
}

// Facts is what is known of the cluster's DNS. The zero value: the Service is not there, and nothing stands in for it.
//
// A Facts is never modified after it was handed out; its map and slices are shared between all callers, who must not
// modify them either.
type Facts struct {
	// Found: the Service exists, or did five minutes ago at most. What follows describes it; it is empty while Found is false,
	// but for StandIns, Asked and NodeLocalDNS.
	Found bool
	// Namespace of the Service, thus of its pods.
	Namespace string
	// Selector of the Service's pods; never empty but not nil, as that would select every pod of the namespace. Nil for a
	// Service without a selector: its endpoints need not be pods.
	Selector map[string]string
	// ClusterIPs of the Service, both families, sorted. Nil for a headless Service.
	ClusterIPs []netip.Addr
	// ServicePorts are the ports that DNS is served on, sorted by number, UDP and TCP only: those numbered 53, which is the
	// only one that a pod's resolv.conf can mean. Other ports (CoreDNS' metrics) are not DNS and left out; a Service without
	// a port 53 has all its ports here.
	ServicePorts []Port
	// TargetPorts are the ports of the pods behind ServicePorts, sorted, as the EndpointSlices have them (OpenShift: 5353).
	// For a port that no EndpointSlice has: the Service's targetPort if it is a number, else what was last seen, else
	// the Service's own port.
	TargetPorts []Port
	// NodeLocalDNS: the Service kube-dns-upstream of NodeLocal DNSCache is in the same namespace, so nodes have caches of
	// their own, and what the cluster's DNS answers is not always what a pod is told.
	NodeLocalDNS bool
	// Asked says whom Upstreams has.
	Asked Asked
	// StandIns are the servers that Upstreams has while Asked is StandIns, sorted; nil otherwise. Pods must be let through to
	// them, at port 53.
	StandIns []netip.Addr
	// OtherServers are the servers that pods are told to ask (Options.PodServers) and that are neither addresses of the Service
	// nor of its endpoints nor of Options.Extra, sorted. Nil while StandIns are asked, and for a Service that is not there.
	OtherServers []netip.Addr
}

// Asked is a kind of upstream.
type Asked int

const (
	// AskedNobody says that the Service has no endpoint, and nobody stands in.
	AskedNobody Asked = iota
	// AskedEndpoints says that these are the endpoints of the Service, or the last ones that it had, at most thirty seconds ago.
	AskedEndpoints
	// AskedStandIns says that these are servers that are known otherwise, as the Service is not there or has no endpoint.
	AskedStandIns
)

func (f Facts) equal(other Facts) bool {
	return f.Found == other.Found &&
		f.Namespace == other.Namespace &&
		f.NodeLocalDNS == other.NodeLocalDNS &&
		f.Asked == other.Asked &&
		slices.Equal(f.StandIns, other.StandIns) &&
		slices.Equal(f.OtherServers, other.OtherServers) &&
		maps.Equal(f.Selector, other.Selector) &&
		slices.Equal(f.ClusterIPs, other.ClusterIPs) &&
		slices.Equal(f.ServicePorts, other.ServicePorts) &&
		slices.Equal(f.TargetPorts, other.TargetPorts)
}
