// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package clusterdns

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// service is kubeadm's kube-dns.
func service(changes ...func(*corev1.Service)) *corev1.Service {
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kube-dns"},
		Spec: corev1.ServiceSpec{
			Selector:   map[string]string{"k8s-app": "kube-dns"},
			ClusterIP:  "10.96.0.10",
			ClusterIPs: []string{"10.96.0.10"},
			Ports: []corev1.ServicePort{
				{Name: "dns", Protocol: corev1.ProtocolUDP, Port: 53, TargetPort: intstr.FromInt32(53)},
				{Name: "dns-tcp", Protocol: corev1.ProtocolTCP, Port: 53, TargetPort: intstr.FromInt32(53)},
				{Name: "metrics", Protocol: corev1.ProtocolTCP, Port: 9153, TargetPort: intstr.FromInt32(9153)},
			},
		},
	}
	for _, change := range changes {
		change(s)
	}
	return s
}

func namedTargets(s *corev1.Service) {
	for i := range s.Spec.Ports {
		s.Spec.Ports[i].TargetPort = intstr.FromString(s.Spec.Ports[i].Name)
	}
}

type sliceChange = func(*discoveryv1.EndpointSlice)

// slice is one as the EndpointSlice controller writes it for service, with one endpoint.
func slice(addr string, changes ...sliceChange) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			GenerateName: "kube-dns-", Labels: map[string]string{discoveryv1.LabelServiceName: "kube-dns"},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports: []discoveryv1.EndpointPort{
			{Name: new("dns"), Protocol: new(corev1.ProtocolUDP), Port: new(int32(53))},
			{Name: new("dns-tcp"), Protocol: new(corev1.ProtocolTCP), Port: new(int32(53))},
			{Name: new("metrics"), Protocol: new(corev1.ProtocolTCP), Port: new(int32(9153))},
		},
	}
	also(addr)(s)
	for _, change := range changes {
		change(s)
	}
	return s
}

func also(addr string) sliceChange {
	return func(s *discoveryv1.EndpointSlice) {
		var endpoint discoveryv1.Endpoint
		if addr != "" {
			endpoint.Addresses = []string{addr}
		}
		s.Endpoints = append(s.Endpoints, endpoint)
	}
}

// on moves the two DNS ports.
func on(port int32) sliceChange {
	return func(s *discoveryv1.EndpointSlice) { s.Ports[0].Port, s.Ports[1].Port = &port, &port }
}

func named(name string) sliceChange {
	return func(s *discoveryv1.EndpointSlice) { s.Ports[0].Name = &name }
}

func ready(is bool) sliceChange {
	return func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].Conditions.Ready = &is }
}

func terminating(s *discoveryv1.EndpointSlice) { s.Endpoints[0].Conditions.Terminating = new(true) }

// withoutPorts makes it the placeholder that the EndpointSlice controller keeps while there are no pods.
func withoutPorts(s *discoveryv1.EndpointSlice) { s.Endpoints, s.Ports = nil, nil }

func ofType(t discoveryv1.AddressType) sliceChange {
	return func(s *discoveryv1.EndpointSlice) { s.AddressType = t }
}

func with(f Facts, change func(*Facts)) Facts {
	change(&f)
	return f
}

func addrPorts(all ...string) []netip.AddrPort {
	var parsed []netip.AddrPort
	for _, s := range all {
		parsed = append(parsed, netip.MustParseAddrPort(s))
	}
	return parsed
}

func list(all ...*discoveryv1.EndpointSlice) []*discoveryv1.EndpointSlice { return all }
