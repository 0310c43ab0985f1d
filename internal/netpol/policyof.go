// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"net/netip"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// This file is the only one that knows the API. All else works on Policy, whatever kind it was made of.

// group is the prefix of our labels and annotations.
const group = v1alpha1.GroupName

// NamespacedKind returns the Kind of FQDNEgressPolicies.
func NamespacedKind() Kind {
	return Kind{APIVersion: v1alpha1.GroupVersion().String(), Name: v1alpha1.Kind, Suffix: "-fqdn"}
}

// IdentityOf returns the Identity of a FQDNEgressPolicy.
func IdentityOf(p *v1alpha1.FQDNEgressPolicy) Identity {
	return Identity{Kind: NamespacedKind(), Namespace: p.Namespace, Name: p.Name, UID: p.UID}
}

// PolicyOf reads a FQDNEgressPolicy, without its status. The Policy shares memory with p. The CRD refuses some specs that
// an older CRD may have let in: a peer of no kind, a name or a CIDR that cannot be read. These add nothing.
func PolicyOf(p *v1alpha1.FQDNEgressPolicy) Policy {
	out := Policy{
		Identity:       IdentityOf(p),
		PodSelector:    *labelSelector(&p.Spec.PodSelector),
		Rules:          make([]Rule, len(p.Spec.Egress)),
		ClusterDNS:     p.Spec.ClusterDNS != v1alpha1.ClusterDNSOmit,
		Audit:          p.Spec.Mode == v1alpha1.ModeAudit,
		AllowedPrivate: prefixesOf(p.Spec.AllowedPrivateCIDRs),
	}
	for i := range p.Spec.Egress {
		out.Rules[i] = ruleOf(&p.Spec.Egress[i])
	}
	return out
}

// KeyOfSpec returns the key of the ports of a rule of a FQDNEgressPolicy.
func KeyOfSpec(ports []v1alpha1.EgressPort) RuleKey { return KeyOf(portsOf(ports)) }

// StatusAddresses returns the addresses that a status lists for each name; a status lists the first ones only. It is for
// CarriedFrom.
func StatusAddresses(status *v1alpha1.FQDNEgressPolicyStatus) map[fqdn.Pattern][]netip.Addr {
	all := make(map[fqdn.Pattern][]netip.Addr, len(status.FQDNs))
	for i := range status.FQDNs {
		p, err := fqdn.ParsePattern(status.FQDNs[i].FQDN)
		if err != nil {
			continue
		}
		for _, s := range status.FQDNs[i].Addresses {
			if a, err := netip.ParseAddr(s); err == nil {
				all[p] = append(all[p], a)
			}
		}
	}
	return all
}

func ruleOf(r *v1alpha1.EgressRule) Rule {
	out := Rule{Ports: portsOf(r.Ports)}
	for i := range r.To {
		if p := &r.To[i]; p.FQDN != "" {
			if pattern, err := fqdn.ParsePattern(string(p.FQDN)); err == nil {
				out.Patterns = append(out.Patterns, pattern)
			}
		} else if p.IPBlock != nil || p.PodSelector != nil || p.NamespaceSelector != nil {
			out.Peers = append(out.Peers, peerOf(p))
		}
	}
	return out
}

func portsOf(ports []v1alpha1.EgressPort) []networkingv1.NetworkPolicyPort {
	out := make([]networkingv1.NetworkPolicyPort, len(ports))
	for i, p := range ports {
		out[i] = networkingv1.NetworkPolicyPort(p)
	}
	return out
}

func peerOf(p *v1alpha1.EgressPeer) networkingv1.NetworkPolicyPeer {
	out := networkingv1.NetworkPolicyPeer{
		PodSelector:       labelSelector(p.PodSelector),
		NamespaceSelector: labelSelector(p.NamespaceSelector),
	}
	if p.IPBlock != nil {
		out.IPBlock = &networkingv1.IPBlock{CIDR: string(p.IPBlock.CIDR), Except: stringsOf(p.IPBlock.Except)}
	}
	return out
}

// labelSelector keeps the difference between nil (not looked at) and empty (selects all), and leaves out empty maps and
// lists.
func labelSelector(s *v1alpha1.LabelSelector) *metav1.LabelSelector {
	if s == nil {
		return nil
	}
	out := &metav1.LabelSelector{}
	if len(s.MatchLabels) > 0 {
		out.MatchLabels = make(map[string]string, len(s.MatchLabels))
		for k, v := range s.MatchLabels {
			out.MatchLabels[k] = string(v)
		}
	}
	for _, e := range s.MatchExpressions {
		out.MatchExpressions = append(out.MatchExpressions, metav1.LabelSelectorRequirement{
			Key: e.Key, Operator: e.Operator, Values: stringsOf(e.Values),
		})
	}
	return out
}

func stringsOf[S ~string](list []S) []string {
	var out []string
	for _, s := range list {
		out = append(out, string(s))
	}
	return out
}

// prefixesOf leaves out texts that are no CIDR: nothing must open because of one.
func prefixesOf(cidrs []v1alpha1.CIDR) []netip.Prefix {
	prefixes := make([]netip.Prefix, 0, len(cidrs))
	for _, c := range cidrs {
		if p, err := netip.ParsePrefix(string(c)); err == nil {
			prefixes = append(prefixes, p)
		}
	}
	return prefixes
}
