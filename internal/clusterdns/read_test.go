// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package clusterdns

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/fqdn-egress/fqdn-egress/test/given"
)

var byValue = cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})

var (
	udp53, tcp53     = Port{"UDP", 53}, Port{"TCP", 53}
	udp5353, tcp5353 = Port{"UDP", 5353}, Port{"TCP", 5353}
	kubeDNS          = map[string]string{"k8s-app": "kube-dns"}
)

func TestRead_Facts(t *testing.T) {
	plain := Facts{
		Found: true, Namespace: "kube-system", Selector: kubeDNS, ClusterIPs: given.Addrs("10.96.0.10"),
		ServicePorts: []Port{tcp53, udp53}, TargetPorts: []Port{tcp53, udp53},
	}
	tests := []struct {
		name   string
		have   objects
		before Facts
		want   Facts
	}{
		{name: "no Service", have: objects{}, want: Facts{}},
		{name: "no Service, its slices still there", have: objects{slices: list(slice("10.0.0.1"))}, want: Facts{}},
		{name: "kubeadm: metrics port is not DNS", have: objects{service: service(), slices: list(slice("10.0.0.1"))}, want: plain},
		{
			name: "headless",
			have: objects{service: service(func(s *corev1.Service) {
				s.Spec.ClusterIP, s.Spec.ClusterIPs = corev1.ClusterIPNone, []string{corev1.ClusterIPNone}
			})},
			want: with(plain, func(f *Facts) { f.ClusterIPs = nil }),
		},
		{
			name: "clusterIP alone, as before dual stack",
			have: objects{service: service(func(s *corev1.Service) { s.Spec.ClusterIPs = nil })},
			want: plain,
		},
		{
			name: "no selector", have: objects{service: service(func(s *corev1.Service) { s.Spec.Selector = nil })},
			want: with(plain, func(f *Facts) { f.Selector = nil }),
		},
		{
			name: "an empty selector selects nothing, not everything",
			have: objects{service: service(func(s *corev1.Service) { s.Spec.Selector = map[string]string{} })},
			want: with(plain, func(f *Facts) { f.Selector = nil }),
		},
		{
			name: "ExternalName has no pods, whatever its selector",
			have: objects{service: service(func(s *corev1.Service) {
				s.Spec.Type, s.Spec.ClusterIP, s.Spec.ClusterIPs = corev1.ServiceTypeExternalName, "", nil
			})},
			want: with(plain, func(f *Facts) { f.Selector, f.ClusterIPs = nil, nil }),
		},
		{
			name: "OpenShift: pods listen on 5353",
			have: objects{service: service(namedTargets), slices: list(slice("10.128.0.5", on(5353)))},
			want: with(plain, func(f *Facts) { f.TargetPorts = []Port{tcp5353, udp5353} }),
		},
		{
			name: "no pods yet: the numeric target port",
			have: objects{service: service(func(s *corev1.Service) {
				s.Spec.Ports[0].TargetPort, s.Spec.Ports[1].TargetPort = intstr.FromInt32(5353), intstr.FromInt32(5353)
			})},
			want: with(plain, func(f *Facts) { f.TargetPorts = []Port{tcp5353, udp5353} }),
		},
		{name: "no pods yet, named target ports: the Service's own", have: objects{service: service(namedTargets)}, want: plain},
		{
			name:   "all pods gone, named target ports: as before",
			have:   objects{service: service(namedTargets), slices: list(slice("", withoutPorts))},
			before: with(plain, func(f *Facts) { f.TargetPorts = []Port{tcp5353, udp5353} }),
			want:   with(plain, func(f *Facts) { f.TargetPorts = []Port{tcp5353, udp5353} }),
		},
		{
			name:   "numeric target port changed while there are no pods: not as before",
			have:   objects{service: service()},
			before: with(plain, func(f *Facts) { f.TargetPorts = []Port{tcp5353, udp5353} }),
			want:   plain,
		},
		{
			name: "a roll from 53 to 5353 has both",
			have: objects{service: service(namedTargets), slices: list(slice("10.0.0.1"), slice("10.0.0.2", on(5353)))},
			want: with(plain, func(f *Facts) { f.TargetPorts = []Port{tcp53, udp53, tcp5353, udp5353} }),
		},
		{
			name: "no port 53: all ports, but neither SCTP",
			have: objects{service: service(func(s *corev1.Service) {
				s.Spec.Ports = []corev1.ServicePort{
					{Name: "b", Protocol: corev1.ProtocolUDP, Port: 5353},
					{Name: "a", Port: 5353},
					{Name: "c", Protocol: corev1.ProtocolSCTP, Port: 5353},
				}
			})},
			want: with(plain, func(f *Facts) {
				f.ServicePorts, f.TargetPorts = []Port{tcp5353, udp5353}, []Port{tcp5353, udp5353}
			}),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := read(tt.have, tt.before)
			if diff := cmp.Diff(tt.want, got, byValue); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRead_Upstreams(t *testing.T) {
	tests := []struct {
		name    string
		service *corev1.Service
		slices  []*discoveryv1.EndpointSlice
		want    []netip.AddrPort
	}{
		{name: "no Service", slices: list(slice("10.0.0.1")), want: nil},
		{name: "no slices", service: service(), want: nil},
		{name: "one endpoint", service: service(), slices: list(slice("10.0.0.1")), want: addrPorts("10.0.0.1:53")},
		{
			name: "several slices: distinct and sorted", service: service(),
			slices: list(slice("10.0.0.20", also("10.0.0.3")), slice("10.0.0.3", also("10.0.0.1"))),
			want:   addrPorts("10.0.0.1:53", "10.0.0.3:53", "10.0.0.20:53"),
		},
		{
			name: "not ready is not asked", service: service(),
			slices: list(slice("10.0.0.1", ready(false), also("10.0.0.2"))),
			want:   addrPorts("10.0.0.2:53"),
		},
		{name: "ready is asked", service: service(), slices: list(slice("10.0.0.1", ready(true))), want: addrPorts("10.0.0.1:53")},
		{
			name: "an endpoint without an address is none", service: service(),
			slices: list(slice("10.0.0.1", also("")), slice("")), want: addrPorts("10.0.0.1:53"),
		},
		{
			name: "only the first address of an endpoint, as kube-proxy", service: service(),
			slices: list(slice("10.0.0.1", func(s *discoveryv1.EndpointSlice) {
				s.Endpoints[0].Addresses = append(s.Endpoints[0].Addresses, "10.0.0.2")
			})),
			want: addrPorts("10.0.0.1:53"),
		},
		{
			name: "FQDN slices have no addresses", service: service(),
			slices: list(slice("10.0.0.1", ofType(discoveryv1.AddressTypeFQDN)), slice("10.0.0.2")),
			want:   addrPorts("10.0.0.2:53"),
		},
		{
			name: "OpenShift: at 5353", service: service(namedTargets),
			slices: list(slice("10.128.0.5", on(5353))), want: addrPorts("10.128.0.5:5353"),
		},
		{
			name: "headless and selector-less: the same", slices: list(slice("10.0.0.1")), want: addrPorts("10.0.0.1:53"),
			service: service(func(s *corev1.Service) {
				s.Spec.ClusterIP, s.Spec.ClusterIPs, s.Spec.Selector = corev1.ClusterIPNone, []string{corev1.ClusterIPNone}, nil
			}),
		},
		{
			name:    "the slice's port is found by the Service's name for it",
			service: service(func(s *corev1.Service) { s.Spec.Ports[0].Name = "domain" }),
			slices:  list(slice("10.0.0.1", named("domain"), on(1053))), want: addrPorts("10.0.0.1:1053"),
		},
		{
			name: "a slice that calls it dns although the Service does not", service: service(func(s *corev1.Service) {
				s.Spec.Ports[0].Name = "domain"
			}),
			slices: list(slice("10.0.0.1")), want: addrPorts("10.0.0.1:53"),
		},
		{
			name: "an unnamed port", service: service(func(s *corev1.Service) {
				s.Spec.Ports = []corev1.ServicePort{{Protocol: corev1.ProtocolUDP, Port: 53}}
			}),
			slices: list(slice("10.0.0.1", func(s *discoveryv1.EndpointSlice) {
				s.Ports = []discoveryv1.EndpointPort{{Protocol: new(corev1.ProtocolUDP), Port: new(int32(1053))}}
			})),
			want: addrPorts("10.0.0.1:1053"),
		},
		{
			name: "TCP alone is not an upstream", service: service(),
			slices: list(slice("10.0.0.1", func(s *discoveryv1.EndpointSlice) { s.Ports = s.Ports[1:] })), want: nil,
		},
		{
			name: "a port without a number is none", service: service(),
			slices: list(slice("10.0.0.1", func(s *discoveryv1.EndpointSlice) { s.Ports[0].Port = nil })), want: nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := endpoints(objects{service: tt.service, slices: tt.slices})
			if diff := cmp.Diff(tt.want, got, byValue); diff != "" {
				t.Errorf("upstreams (-want +got):\n%s", diff)
			}
		})
	}
}

// A deleted replica goes on answering for seconds and then falls silent: it leaves at once, the others stay.
func TestEdge6_TerminatingReplicaIsNotAsked(t *testing.T) {
	leaving := slice("10.0.0.1", also("10.0.0.2"), terminating)
	for _, isReady := range []bool{false, true} { // ready too with publishNotReadyAddresses
		leaving.Endpoints[0].Conditions.Ready = &isReady
		got := endpoints(objects{service: service(), slices: list(leaving)})
		if diff := cmp.Diff(addrPorts("10.0.0.2:53"), got, byValue); diff != "" {
			t.Errorf("terminating with ready=%t (-want +got):\n%s", isReady, diff)
		}
	}
}

// A pod's query is matched before or after the Service's address translation, depending on the CNI: the facts have the
// Service's address and port and the pods' label and port, each over UDP and TCP.
func TestEdge24_FactsAllowDNSBeforeAndAfterTranslation(t *testing.T) {
	got := read(objects{service: service(namedTargets), slices: list(slice("10.128.0.5", on(5353)))}, Facts{})
	want := Facts{
		Found: true, Namespace: "kube-system",
		ClusterIPs: given.Addrs("10.96.0.10"), ServicePorts: []Port{tcp53, udp53},
		Selector: kubeDNS, TargetPorts: []Port{tcp5353, udp5353},
	}
	if diff := cmp.Diff(want, got, byValue); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
}

func TestEdge25_DualStackHasBothFamilies(t *testing.T) {
	have := objects{
		service: service(func(s *corev1.Service) { s.Spec.ClusterIPs = []string{"fd00::a", "10.96.0.10"} }),
		slices:  list(slice("fd00:1::5", ofType(discoveryv1.AddressTypeIPv6)), slice("10.0.0.1")),
	}
	facts, upstreams := read(have, Facts{}), endpoints(have)
	if diff := cmp.Diff(given.Addrs("10.96.0.10", "fd00::a"), facts.ClusterIPs, byValue); diff != "" {
		t.Errorf("cluster IPs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(addrPorts("10.0.0.1:53", "[fd00:1::5]:53"), upstreams, byValue); diff != "" {
		t.Errorf("upstreams (-want +got):\n%s", diff)
	}
}

// What is read must not depend on the order of an informer's store, nor on the objects after it was read.
func TestRead_SharesNothingWithTheObjects(t *testing.T) {
	s := service()
	got := read(objects{service: s}, Facts{})
	s.Spec.Selector["k8s-app"] = "other"
	if diff := cmp.Diff(kubeDNS, got.Selector); diff != "" {
		t.Errorf("selector (-want +got):\n%s", diff)
	}
}

func TestFacts_EqualSeesEveryField(t *testing.T) {
	base := Facts{
		Found: true, Namespace: "kube-system", Selector: kubeDNS, ClusterIPs: given.Addrs("10.96.0.10"),
		ServicePorts: []Port{udp53}, TargetPorts: []Port{udp53},
	}
	if !base.equal(with(base, func(f *Facts) { f.TargetPorts = []Port{udp53} })) {
		t.Error("facts differ from their copy")
	}
	changes := map[string]func(*Facts){
		"Found":        func(f *Facts) { f.Found = false },
		"Namespace":    func(f *Facts) { f.Namespace = "dns" },
		"Selector":     func(f *Facts) { f.Selector = nil },
		"ClusterIPs":   func(f *Facts) { f.ClusterIPs = given.Addrs("10.96.0.11") },
		"ServicePorts": func(f *Facts) { f.ServicePorts = []Port{tcp53} },
		"TargetPorts":  func(f *Facts) { f.TargetPorts = []Port{udp5353} },
		"NodeLocalDNS": func(f *Facts) { f.NodeLocalDNS = true },
		"Asked":        func(f *Facts) { f.Asked = AskedEndpoints },
		"StandIns":     func(f *Facts) { f.StandIns = given.Addrs("10.96.0.10") },
		"OtherServers": func(f *Facts) { f.OtherServers = given.Addrs("169.254.20.10") },
	}
	for field, change := range changes {
		if base.equal(with(base, change)) {
			t.Errorf("a change of %s goes unseen", field)
		}
	}
}
