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

// DNS is what the DNS rule is made of. Without a Namespace (the Service is not there) the convention stands in: the pods
// k8s-app=kube-dns of kube-system, port 53. Extra counts in either case.
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

// rules returns the DNS rules: the addresses at the Service's ports, then the pods at theirs; one rule when the ports are
// the same. In that rule the pods come last, by which a later process can tell it from a rule of the spec (see
// dnsLeads).
func (d DNS) rules() []networkingv1.NetworkPolicyEgressRule {
	if d.Namespace == "" {
		d.Namespace, d.Selector = metav1.NamespaceSystem, map[string]string{"k8s-app": "kube-dns"}
		d.ServicePorts, d.TargetPorts = nil, nil
	}
	addresses, pods := d.addressPeers(), d.podPeers()
	servicePorts, serviceKey := canonicalPorts(dnsPorts(d.ServicePorts))
	targetPorts, targetKey := canonicalPorts(dnsPorts(d.TargetPorts))
	if serviceKey == targetKey {
		addresses, pods = append(addresses, pods...), nil
	}
	var rules []networkingv1.NetworkPolicyEgressRule
	if len(addresses) > 0 {
		rules = append(rules, networkingv1.NetworkPolicyEgressRule{Ports: servicePorts, To: addresses})
	}
	if len(pods) > 0 {
		rules = append(rules, networkingv1.NetworkPolicyEgressRule{Ports: targetPorts, To: pods})
	}
	return rules
}

func (d DNS) addressPeers() []networkingv1.NetworkPolicyPeer {
	addrs := make([]netip.Addr, 0, len(d.ClusterIPs)+len(d.Extra))
	for _, a := range slices.Concat(d.ClusterIPs, d.Extra) {
		if a.IsValid() && !a.IsUnspecified() {
			addrs = append(addrs, a.Unmap().WithZone(""))
		}
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	var peers []networkingv1.NetworkPolicyPeer
	for _, a := range slices.Compact(addrs) {
		peers = append(peers, addressPeer(a))
	}
	return peers
}

// podPeers returns no peer without a selector: an empty one would select every pod of the namespace.
func (d DNS) podPeers() []networkingv1.NetworkPolicyPeer {
	if len(d.Selector) == 0 {
		return nil
	}
	return []networkingv1.NetworkPolicyPeer{{
		NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: d.Namespace}},
		PodSelector:       &metav1.LabelSelector{MatchLabels: d.Selector},
	}}
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

// dnsLeads returns how many of the rules of a live first object are the DNS rules, which lead it. The facts of the DNS may
// have changed since they were written, so it looks at the form: a leading rule is the DNS rule when
//
//   - it is one of today's; or
//   - a later rule has the same ports, for rules of the spec with equal ports are one; or
//   - it ends with a peer of the form that only the DNS rule ends with: in a rule of the spec the addresses come last.
//
// What these miss is a rule of addresses only, to an old Service of which no pod was named at the same ports. Taking that
// for a rule of the spec opens nothing: the spec must have a rule for those very ports, the addresses must pass the guard
// (which refuses the Service range and link-local), and the pods could reach them a moment ago. Taking a rule of the spec
// for the DNS rule would shrink the policy.
func dnsLeads(rules []liveRule, today []networkingv1.NetworkPolicyEgressRule) int {
	n := 0
	for n < 2 && n < len(rules) {
		if r := &rules[n]; !isToday(r.rule, today) && !isRepeated(rules[n:]) && !endsWithDNSPods(r) {
			break
		}
		n++
	}
	return n
}

func isToday(r *networkingv1.NetworkPolicyEgressRule, today []networkingv1.NetworkPolicyEgressRule) bool {
	return slices.ContainsFunc(today, func(t networkingv1.NetworkPolicyEgressRule) bool { return equalRules(r, &t) })
}

// isRepeated tells whether a later rule has the ports of the first.
func isRepeated(rules []liveRule) bool {
	return slices.ContainsFunc(rules[1:], func(r liveRule) bool { return r.ports.Key == rules[0].ports.Key })
}

// endsWithDNSPods tells whether the last peer is some pods of one namespace by name, and only addresses precede it.
func endsWithDNSPods(r *liveRule) bool {
	last := len(r.rule.To) - 1
	if last < 0 || slices.ContainsFunc(r.addrs[:last], func(a netip.Addr) bool { return !a.IsValid() }) {
		return false
	}
	p := &r.rule.To[last]
	return p.NamespaceSelector != nil && p.NamespaceSelector.MatchLabels[corev1.LabelMetadataName] != "" &&
		p.PodSelector != nil && len(p.PodSelector.MatchLabels) > 0
}
