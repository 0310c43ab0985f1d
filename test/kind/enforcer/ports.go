// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

// matchPorts gives the conditions of which one must hold. A name stands for the port that a target, a pod that is
// spoken to, calls so: it can differ from pod to pod, and where no pod has it, it allows nothing.
func matchPorts(ports []networkingv1.NetworkPolicyPort, targets []pod) (matches []match) {
	if len(ports) == 0 {
		return []match{{}}
	}
	for _, protocol := range []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP} {
		var own []networkingv1.NetworkPolicyPort
		for _, p := range ports {
			if ptr.Deref(p.Protocol, corev1.ProtocolTCP) == protocol {
				own = append(own, p)
			}
		}
		matches = append(matches, matchProtocol(protocol, own, targets)...)
	}
	return matches
}

// matchProtocol is matchPorts for ports that are all of one protocol.
func matchProtocol(protocol corev1.Protocol, ports []networkingv1.NetworkPolicyPort, targets []pod) []match {
	keyword := strings.ToLower(string(protocol))
	var numbers []portRange
	var matches []match
	for _, p := range ports {
		switch {
		case p.Port == nil:
			return []match{{text: "meta l4proto " + keyword}}
		case p.Port.Type == intstr.String:
			matches = append(matches, matchNamed(protocol, p.Port.StrVal, targets)...)
		case p.EndPort != nil:
			numbers = append(numbers, portRange{p.Port.IntVal, *p.EndPort})
		default:
			numbers = append(numbers, portRange{p.Port.IntVal, p.Port.IntVal})
		}
	}
	if len(numbers) > 0 {
		matches = append([]match{{text: fmt.Sprintf("%s dport { %s }", keyword, listPorts(numbers))}}, matches...)
	}
	return matches
}

// matchNamed gives, for each number that targets have under a name, the condition that one of those is spoken to there.
func matchNamed(protocol corev1.Protocol, name string, targets []pod) (matches []match) {
	byNumber := map[int32][]pod{}
	for _, t := range targets {
		for _, p := range t.ports {
			if p.Name == name && cmp.Or(p.Protocol, corev1.ProtocolTCP) == protocol {
				byNumber[p.ContainerPort] = append(byNumber[p.ContainerPort], t)
			}
		}
	}
	for _, number := range slices.Sorted(maps.Keys(byNumber)) {
		for _, m := range matchAddrs(hosts(byNumber[number]), "daddr") {
			m.text += fmt.Sprintf(" %s dport %d", strings.ToLower(string(protocol)), number)
			matches = append(matches, m)
		}
	}
	return matches
}

type portRange struct{ first, last int32 }

// listPorts writes ranges as the elements of a set. nft refuses those that overlap, so they are made one.
func listPorts(ranges []portRange) string {
	slices.SortFunc(ranges, func(a, b portRange) int { return cmp.Compare(a.first, b.first) })
	merged := ranges[:1]
	for _, r := range ranges[1:] {
		if last := &merged[len(merged)-1]; r.first <= last.last {
			last.last = max(last.last, r.last)
		} else {
			merged = append(merged, r)
		}
	}
	var elements []string
	for _, r := range merged {
		if r.first == r.last {
			elements = append(elements, fmt.Sprint(r.first))
		} else {
			elements = append(elements, fmt.Sprintf("%d-%d", r.first, r.last))
		}
	}
	return strings.Join(elements, ", ")
}
