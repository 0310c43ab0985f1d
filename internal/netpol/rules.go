// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// rule is one generated rule: all rules of the spec with the same ports.
type rule struct {
	key      RuleKey
	ports    []networkingv1.NetworkPolicyPort // canonical
	ordinary []networkingv1.NetworkPolicyPeer // in the order of the spec, distinct
	blocks   map[netip.Addr]bool              // the single addresses among ordinary
	patterns []fqdn.Pattern                   // in the order of the spec, distinct
}

// rulesOf reads the egress rules of a spec, in its order.
func rulesOf(egress []v1alpha1.EgressRule) []rule {
	var rules []rule
	at := map[RuleKey]int{}
	for i := range egress {
		ports, key := canonicalPorts(egressPorts(egress[i].Ports))
		n, known := at[key]
		if !known {
			n = len(rules)
			at[key] = n
			rules = append(rules, rule{key: key, ports: ports})
		}
		rules[n].add(egress[i].To)
	}
	for i := range rules {
		rules[i].compact()
	}
	return rules
}

// add takes the peers of one rule of the spec. What the CRD refuses (a peer of no kind, a name that cannot be read) adds
// nothing: a peer without fields would mean every destination.
func (r *rule) add(peers []v1alpha1.EgressPeer) {
	for i := range peers {
		if p := &peers[i]; p.FQDN != "" {
			if pattern, err := fqdn.ParsePattern(string(p.FQDN)); err == nil {
				r.patterns = append(r.patterns, pattern)
			}
		} else if p.IPBlock != nil || p.PodSelector != nil || p.NamespaceSelector != nil {
			r.ordinary = append(r.ordinary, networkPolicyPeer(p))
		}
	}
}

// compact removes repeats.
func (r *rule) compact() {
	r.patterns = distinct(r.patterns, func(p fqdn.Pattern) fqdn.Pattern { return p })
	r.ordinary = distinct(r.ordinary, peerID)
	for i := range r.ordinary {
		if a, ok := singleAddress(&r.ordinary[i]); ok {
			if r.blocks == nil {
				r.blocks = map[netip.Addr]bool{}
			}
			r.blocks[a] = true
		}
	}
}

// distinct removes later repeats in place.
func distinct[T any, K comparable](list []T, key func(T) K) []T {
	if len(list) < 2 {
		return list
	}
	seen := make(map[K]bool, len(list))
	return slices.DeleteFunc(list, func(t T) bool {
		k := key(t)
		repeat := seen[k]
		seen[k] = true
		return repeat
	})
}

// networkPolicyPeer writes an ordinary peer of the spec as that of a NetworkPolicy, with the empty maps and lists that an
// API server leaves out left out.
func networkPolicyPeer(p *v1alpha1.EgressPeer) networkingv1.NetworkPolicyPeer {
	out := networkingv1.NetworkPolicyPeer{
		PodSelector:       labelSelector(p.PodSelector),
		NamespaceSelector: labelSelector(p.NamespaceSelector),
	}
	if p.IPBlock != nil {
		out.IPBlock = &networkingv1.IPBlock{CIDR: string(p.IPBlock.CIDR), Except: stringsOf(p.IPBlock.Except)}
	}
	return out
}

// labelSelector keeps the difference between nil (not looked at) and empty (selects all).
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

// peerID is equal for equal peers and differs for others.
func peerID(p networkingv1.NetworkPolicyPeer) string {
	if p.IPBlock != nil && len(p.IPBlock.Except) == 0 && p.PodSelector == nil && p.NamespaceSelector == nil {
		return p.IPBlock.CIDR
	}
	id, err := json.Marshal(p) // map keys come out sorted
	if err != nil {
		panic("netpol: marshalling a NetworkPolicyPeer: " + err.Error()) // it is made of strings only
	}
	return string(id)
}

// singleAddress returns the address of a peer that is one address: a /32 or /128 block and nothing else.
func singleAddress(p *networkingv1.NetworkPolicyPeer) (netip.Addr, bool) {
	if p.IPBlock == nil || len(p.IPBlock.Except) > 0 || p.PodSelector != nil || p.NamespaceSelector != nil {
		return netip.Addr{}, false
	}
	text, bits, found := strings.Cut(p.IPBlock.CIDR, "/")
	if !found || bits != "32" && bits != "128" {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" || (bits == "32") != a.Is4() {
		return netip.Addr{}, false
	}
	return a, true
}

// addressPeer is the inverse of singleAddress.
func addressPeer(a netip.Addr) networkingv1.NetworkPolicyPeer {
	return networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: netip.PrefixFrom(a, a.BitLen()).String()}}
}
