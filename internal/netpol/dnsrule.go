// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// DNS has the facts of which the DNS rule is made. Without a Namespace (the Service is not there) the convention stands in:
// the pods k8s-app=kube-dns of kube-system, port 53. Extra counts in either case.
type DNS struct {
	Namespace string
	// Selector is the Service's; without one (its endpoints are written by hand) no pod is named.
	Selector map[string]string
	// ClusterIPs are the Service's, in both families.
	ClusterIPs []netip.Addr
	// ServicePorts are the ports of ClusterIPs and Extra. None: UDP and TCP 53.
	ServicePorts []DNSPort
	// TargetPorts are the ports of the pods. None: UDP and TCP 53.
	TargetPorts []DNSPort
	// Extra has --cluster-dns, such as 169.254.20.10.
	Extra []netip.Addr
}

// DNSPort is a port of the cluster DNS.
type DNSPort struct {
	Protocol string // "UDP" or "TCP"
	Port     int32
}

// rules returns the DNS rules: the addresses at the Service's ports, then the pods at theirs; one rule when the ports are the
// same. In that rule the pods come last, by which a later process can tell it from a rule of the spec (see dnsLeads).
func (d DNS) rules() []RuleGrants {
	if d.Namespace == "" {
		d.Namespace, d.Selector = metav1.NamespaceSystem, map[string]string{"k8s-app": "kube-dns"}
		d.ServicePorts, d.TargetPorts = nil, nil
	}
	addresses, pods := d.addresses(), d.pods()
	servicePorts, targetPorts := dnsPorts(d.ServicePorts), dnsPorts(d.TargetPorts)
	service, ofPods := portsFrom(servicePorts), portsFrom(targetPorts)
	rules := make([]RuleGrants, 0, 2)
	add := func(ports Ports, spec []Grant) {
		if len(spec) == 0 {
			return
		}
		for i := range spec {
			spec[i].Ports = &ports
		}
		rules = append(rules, RuleGrants{Ports: ports, Spec: spec})
	}
	if service.Key == ofPods.Key {
		add(service, append(addresses, pods...))
	} else {
		add(service, addresses)
		add(ofPods, pods)
	}
	return rules
}

func (d DNS) addresses() []Grant {
	addrs := make([]netip.Addr, 0, len(d.ClusterIPs)+len(d.Extra))
	for _, list := range [][]netip.Addr{d.ClusterIPs, d.Extra} {
		for _, a := range list {
			if a.IsValid() && !a.IsUnspecified() {
				addrs = append(addrs, a.Unmap().WithZone(""))
			}
		}
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	addrs = slices.Compact(addrs)
	grants := make([]Grant, len(addrs), len(addrs)+1)
	for i, a := range addrs {
		grants[i].Addr = a
	}
	return grants
}

// pods returns no peer without a selector: an empty one would select every pod of the namespace.
func (d DNS) pods() []Grant {
	if len(d.Selector) == 0 {
		return nil
	}
	return []Grant{{Peer: &networkingv1.NetworkPolicyPeer{
		NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: d.Namespace}},
		PodSelector:       &metav1.LabelSelector{MatchLabels: d.Selector},
	}}}
}

// dnsPorts never returns none, which would mean all ports.
func dnsPorts(ports []DNSPort) []networkingv1.NetworkPolicyPort {
	if len(ports) == 0 {
		ports = []DNSPort{{Protocol: "TCP", Port: 53}, {Protocol: "UDP", Port: 53}}
	}
	out := make([]networkingv1.NetworkPolicyPort, len(ports))
	for i, p := range ports {
		out[i].Protocol = new(corev1.Protocol(p.Protocol))
		out[i].Port = new(intstr.FromInt32(p.Port))
	}
	return out
}
