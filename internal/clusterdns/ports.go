// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package clusterdns

import (
	"cmp"
	"math"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const (
	dnsPort     = 53    // RFC 1035, section 4.2
	dnsPortName = "dns" // of the UDP port, by the convention of kube-dns, CoreDNS and OpenShift
)

// dnsPorts returns the ports of the Service that serve DNS: those numbered 53, all UDP and TCP ports if none is.
func dnsPorts(service *corev1.Service) []corev1.ServicePort {
	var all, at53 []corev1.ServicePort
	for _, p := range service.Spec.Ports {
		p.Protocol = cmp.Or(p.Protocol, corev1.ProtocolTCP)
		if p.Protocol != corev1.ProtocolUDP && p.Protocol != corev1.ProtocolTCP {
			continue
		}
		all = append(all, p)
		if p.Port == dnsPort {
			at53 = append(at53, p)
		}
	}
	if len(at53) > 0 {
		return at53
	}
	return all
}

func servicePorts(ports []corev1.ServicePort) []Port {
	var all []Port
	for _, p := range ports {
		all = append(all, Port{Protocol: string(p.Protocol), Port: p.Port})
	}
	return sortedSet(all, comparePorts)
}

func targetPorts(ports []corev1.ServicePort, endpointSlices []*discoveryv1.EndpointSlice, before []Port) []Port {
	var all []Port
	for _, p := range ports {
		seen := portsInSlices(p, endpointSlices)
		if len(seen) == 0 {
			seen = presumedPorts(p, before)
		}
		all = append(all, seen...)
	}
	return sortedSet(all, comparePorts)
}

func portsInSlices(p corev1.ServicePort, endpointSlices []*discoveryv1.EndpointSlice) []Port {
	var seen []Port
	for _, slice := range endpointSlices {
		if number, ok := numberInSlice(slice, p.Name, p.Protocol); ok {
			seen = append(seen, Port{Protocol: string(p.Protocol), Port: number})
		}
	}
	return seen
}

// presumedPorts stands in while no EndpointSlice has the port. A named target port is a matter of the pods; while there are
// none, the ports from before stay, lest all DNS rules change for as long as all DNS pods are gone.
func presumedPorts(p corev1.ServicePort, before []Port) []Port {
	protocol := string(p.Protocol)
	if p.TargetPort.Type == intstr.Int && p.TargetPort.IntVal != 0 {
		return []Port{{Protocol: protocol, Port: p.TargetPort.IntVal}}
	}
	var kept []Port
	if p.TargetPort.Type == intstr.String {
		for _, b := range before {
			if b.Protocol == protocol {
				kept = append(kept, b)
			}
		}
	}
	if len(kept) > 0 {
		return kept
	}
	return []Port{{Protocol: protocol, Port: p.Port}}
}

// upstreamPort returns the UDP port of the slice's endpoints that stands behind the Service's DNS port, else the one that is
// named as such: a Service may offer DNS over TCP only while its pods also take UDP.
func upstreamPort(ports []corev1.ServicePort, slice *discoveryv1.EndpointSlice) (uint16, bool) {
	for _, name := range append(udpNames(ports), dnsPortName) {
		if number, ok := numberInSlice(slice, name, corev1.ProtocolUDP); ok {
			return uint16(number), true
		}
	}
	return 0, false
}

func udpNames(ports []corev1.ServicePort) []string {
	var names []string
	for _, p := range ports {
		if p.Protocol == corev1.ProtocolUDP {
			names = append(names, p.Name)
		}
	}
	return names
}

// numberInSlice finds a port by name and protocol, as kube-proxy does. A port without a number means no port in particular.
func numberInSlice(slice *discoveryv1.EndpointSlice, name string, protocol corev1.Protocol) (int32, bool) {
	i := slices.IndexFunc(slice.Ports, func(p discoveryv1.EndpointPort) bool {
		return deref(p.Name, "") == name && deref(p.Protocol, corev1.ProtocolTCP) == protocol
	})
	if i < 0 {
		return 0, false
	}
	number := deref(slice.Ports[i].Port, 0)
	return number, 0 < number && number <= math.MaxUint16
}

func comparePorts(a, b Port) int {
	return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Protocol, b.Protocol))
}
