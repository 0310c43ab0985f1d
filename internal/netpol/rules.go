// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"encoding/json"
	"net/netip"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// rule is one generated rule: all rules of the spec with the same ports.
type rule struct {
	ports    Ports
	ordinary []networkingv1.NetworkPolicyPeer // in the order of the spec, distinct
	blocks   map[netip.Addr]bool              // the single addresses among ordinary
	patterns []fqdn.Pattern                   // in the order of the spec, distinct
}

// mergeRules makes one rule of those with equal ports, in the order of the spec.
func mergeRules(list []Rule) []rule {
	var rules []rule
	at := map[RuleKey]int{}
	for i := range list {
		ports := portsFrom(list[i].Ports)
		n, known := at[ports.Key]
		if !known {
			n = len(rules)
			at[ports.Key] = n
			rules = append(rules, rule{ports: ports})
		}
		rules[n].patterns = append(rules[n].patterns, list[i].Patterns...)
		rules[n].ordinary = append(rules[n].ordinary, list[i].Peers...)
	}
	for i := range rules {
		rules[i].compact()
	}
	return rules
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

// peerID is equal for equal peers and differs for others.
func peerID(p networkingv1.NetworkPolicyPeer) string {
	if a, ok := singleAddress(&p); ok {
		return cidrOf(a) // however it is spelled
	}
	if p.IPBlock != nil && len(p.IPBlock.Except) == 0 && p.PodSelector == nil && p.NamespaceSelector == nil {
		return p.IPBlock.CIDR
	}
	id, err := json.Marshal(p) // map keys come out sorted
	if err != nil {
		panic("netpol: marshalling a NetworkPolicyPeer: " + err.Error()) // it is made of strings only
	}
	return string(id)
}
