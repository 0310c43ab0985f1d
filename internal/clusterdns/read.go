// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package clusterdns

import (
	"maps"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// objects is what the API server has at one instant.
type objects struct {
	service   *corev1.Service // nil: not there
	slices    []*discoveryv1.EndpointSlice
	nodeLocal bool // NodeLocalService is there
}

// read returns what the Service says; the zero Facts for none. before is what it said before: target ports that nothing
// tells any more are kept from it.
func read(o objects, before Facts) Facts {
	if o.service == nil {
		return Facts{}
	}
	ports := dnsPorts(o.service)
	return Facts{
		Found:        true,
		Namespace:    o.service.Namespace,
		Selector:     selector(o.service),
		ClusterIPs:   clusterIPs(o.service),
		ServicePorts: servicePorts(ports),
		TargetPorts:  targetPorts(ports, o.slices, before.TargetPorts),
	}
}

// endpoints returns who answers behind the Service, in canonical order. EndpointSlices without their Service are not
// followed: they are leftovers that the garbage collector has not reached yet.
func endpoints(o objects) []netip.AddrPort {
	if o.service == nil {
		return nil
	}
	return upstreams(dnsPorts(o.service), o.slices)
}

// selector returns nil for an empty selector. A Service with one selects nothing, a LabelSelector with one everything.
func selector(service *corev1.Service) map[string]string {
	if len(service.Spec.Selector) == 0 || service.Spec.Type == corev1.ServiceTypeExternalName {
		return nil
	}
	return maps.Clone(service.Spec.Selector)
}

func clusterIPs(service *corev1.Service) []netip.Addr {
	all := service.Spec.ClusterIPs
	if len(all) == 0 {
		all = []string{service.Spec.ClusterIP}
	}
	var addrs []netip.Addr
	for _, s := range all {
		// What does not parse is "None" (headless) or "" (ExternalName, or not allocated yet).
		if addr, err := netip.ParseAddr(s); err == nil {
			addrs = append(addrs, addr)
		}
	}
	return sortedSet(addrs, netip.Addr.Compare)
}

// upstreams returns the endpoints that take queries, each at its slice's UDP port.
func upstreams(ports []corev1.ServicePort, endpointSlices []*discoveryv1.EndpointSlice) []netip.AddrPort {
	var all []netip.AddrPort
	for _, slice := range endpointSlices {
		port, ok := upstreamPort(ports, slice)
		if !ok || slice.AddressType == discoveryv1.AddressTypeFQDN {
			continue
		}
		for _, endpoint := range slice.Endpoints {
			if addr, ok := servingAddr(endpoint); ok {
				all = append(all, netip.AddrPortFrom(addr, port))
			}
		}
	}
	return sortedSet(all, netip.AddrPort.Compare)
}

// servingAddr returns the address of an endpoint that is ready and stays. A terminating one goes although it may still
// answer: it is about to fall silent. Of several addresses only the first counts, as kube-proxy sends no pod to another.
func servingAddr(endpoint discoveryv1.Endpoint) (netip.Addr, bool) {
	ready := deref(endpoint.Conditions.Ready, true)
	terminating := deref(endpoint.Conditions.Terminating, false)
	if !ready || terminating || len(endpoint.Addresses) == 0 {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(endpoint.Addresses[0])
	return addr, err == nil
}

// sortedSet sorts in place and drops duplicates.
func sortedSet[T comparable](all []T, compare func(a, b T) int) []T {
	slices.SortFunc(all, compare)
	return slices.Compact(all)
}

func deref[T any](p *T, unset T) T {
	if p == nil {
		return unset
	}
	return *p
}
