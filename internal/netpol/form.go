// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// RuleKey is the canonical form of the ports of a rule: rules with equal ports have equal keys, whatever the order,
// repeats and defaults. "TCP/443,TCP/8000-8100,TCP/https,UDP/*" has one of each kind. All ports is the empty key.
type RuleKey string

// Ports are the ports of a rule.
type Ports struct {
	Key RuleKey
	// List is canonical: rules with equal keys have equal lists. None: all ports of all protocols.
	List []networkingv1.NetworkPolicyPort
}

func portsFrom(list []networkingv1.NetworkPolicyPort) Ports {
	canonical, key := canonicalPorts(list)
	return Ports{Key: key, List: canonical}
}

// canonicalPorts returns ports as the API server would return them (protocol TCP written out), sorted, without repeats
// and without an endPort that adds nothing, and their key. The result shares no memory with ports.
func canonicalPorts(ports []networkingv1.NetworkPolicyPort) ([]networkingv1.NetworkPolicyPort, RuleKey) {
	if len(ports) == 0 {
		return nil, ""
	}
	spans := make([]span, len(ports))
	for i := range ports {
		spans[i] = spanOf(&ports[i])
	}
	slices.SortFunc(spans, span.compare)
	spans = slices.Compact(spans)

	canonical := make([]networkingv1.NetworkPolicyPort, len(spans))
	words := make([]string, len(spans))
	for i, s := range spans {
		canonical[i], words[i] = s.port(), s.String()
	}
	return canonical, RuleKey(strings.Join(words, ","))
}

// span is a NetworkPolicyPort as a comparable value.
type span struct {
	protocol    corev1.Protocol
	first, last int32  // 0: none
	name        string // of a named port
}

func spanOf(p *networkingv1.NetworkPolicyPort) span {
	s := span{protocol: corev1.ProtocolTCP} // the API server's default
	if p.Protocol != nil {
		s.protocol = *p.Protocol
	}
	switch {
	case p.Port == nil:
	case p.Port.Type == intstr.String:
		s.name = p.Port.StrVal
	default:
		s.first, s.last = p.Port.IntVal, p.Port.IntVal
		if p.EndPort != nil {
			s.last = *p.EndPort
		}
	}
	return s
}

// all tells whether s is every port of its protocol.
func (s span) all() bool { return s.first == 0 && s.name == "" }

func (s span) compare(o span) int {
	return cmp.Or(
		cmp.Compare(s.protocol, o.protocol),
		cmp.Compare(s.name, o.name),
		cmp.Compare(s.first, o.first),
		cmp.Compare(s.last, o.last))
}

func (s span) port() networkingv1.NetworkPolicyPort {
	p := networkingv1.NetworkPolicyPort{Protocol: new(s.protocol)}
	switch {
	case s.all():
	case s.name != "":
		p.Port = new(intstr.FromString(s.name))
	default:
		p.Port = new(intstr.FromInt32(s.first))
		if s.last != s.first {
			p.EndPort = new(s.last)
		}
	}
	return p
}

func (s span) String() string {
	word := string(s.protocol) + "/"
	switch {
	case s.all():
		return word + "*"
	case s.name != "":
		return word + s.name
	case s.last != s.first:
		return word + strconv.Itoa(int(s.first)) + "-" + strconv.Itoa(int(s.last))
	}
	return word + strconv.Itoa(int(s.first))
}

// overlaps tells whether s and o may have a port in common. A named port may be any number.
func (s span) overlaps(o span) bool {
	if s.protocol != o.protocol {
		return false
	}
	if s.all() || o.all() || s.name != "" || o.name != "" {
		return true
	}
	return s.first <= o.last && o.first <= s.last
}

// KeyOf returns the key of the ports of a rule of a NetworkPolicy.
func KeyOf(ports []networkingv1.NetworkPolicyPort) RuleKey {
	_, key := canonicalPorts(ports)
	return key
}

// The functions below compare by meaning and in order. equality.Semantic does so too, by reflection, which took a third of the
// time of a Compile. An empty map or list equals none; an empty selector, which selects all, differs from none.

func equalSpecs(a, b *networkingv1.NetworkPolicySpec) bool {
	return slices.Equal(a.PolicyTypes, b.PolicyTypes) && len(a.Ingress) == len(b.Ingress) &&
		slices.EqualFunc(a.Egress, b.Egress, func(x, y networkingv1.NetworkPolicyEgressRule) bool { return equalRules(&x, &y) }) &&
		equalSelectors(&a.PodSelector, &b.PodSelector)
}

func equalRules(a, b *networkingv1.NetworkPolicyEgressRule) bool {
	return slices.EqualFunc(a.Ports, b.Ports, equalPorts) &&
		slices.EqualFunc(a.To, b.To, func(x, y networkingv1.NetworkPolicyPeer) bool { return equalPeers(&x, &y) })
}

// equalPorts sees no difference in an endPort that repeats the port.
func equalPorts(a, b networkingv1.NetworkPolicyPort) bool { return spanOf(&a) == spanOf(&b) }

func equalPeers(a, b *networkingv1.NetworkPolicyPeer) bool {
	return equalBlocks(a, b) && equalSelectors(a.PodSelector, b.PodSelector) && equalSelectors(a.NamespaceSelector, b.NamespaceSelector)
}

// equalBlocks sees no difference in how a single address is spelled.
func equalBlocks(a, b *networkingv1.NetworkPolicyPeer) bool {
	if a.IPBlock == nil || b.IPBlock == nil {
		return a.IPBlock == b.IPBlock
	}
	if !slices.Equal(a.IPBlock.Except, b.IPBlock.Except) {
		return false
	}
	if a.IPBlock.CIDR == b.IPBlock.CIDR {
		return true
	}
	x, ok := singleAddress(a)
	y, isOne := singleAddress(b)
	return ok && isOne && x == y
}

func equalSelectors(a, b *metav1.LabelSelector) bool {
	if a == nil || b == nil {
		return a == b
	}
	return maps.Equal(a.MatchLabels, b.MatchLabels) &&
		slices.EqualFunc(a.MatchExpressions, b.MatchExpressions, func(x, y metav1.LabelSelectorRequirement) bool {
			return x.Key == y.Key && x.Operator == y.Operator && slices.Equal(x.Values, y.Values)
		})
}
