// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"fmt"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Differs compares what an API server returned for a Create or Update with what was sent, and says in words for a person
// how they differ: "egress has a peer 0.0.0.0/0 more (TCP/443)". It returns "" if got is as sent where it matters to us: spec,
// our labels, our owner reference. sent is the Object of a Step; defaults of the API server are no difference, nor are labels,
// annotations and owner references that somebody added.
func Differs(sent, got *networkingv1.NetworkPolicy) string {
	if words := differingMetadata(sent, got); words != "" {
		return words
	}
	if equalSpecs(&got.Spec, &sent.Spec) {
		return ""
	}
	switch {
	case !slices.Equal(sent.Spec.PolicyTypes, got.Spec.PolicyTypes):
		return fmt.Sprintf("policyTypes is %v instead of %v", got.Spec.PolicyTypes, sent.Spec.PolicyTypes)
	case !equalSelectors(&sent.Spec.PodSelector, &got.Spec.PodSelector):
		return fmt.Sprintf("podSelector is %s instead of %s", selectorText(&got.Spec.PodSelector), selectorText(&sent.Spec.PodSelector))
	case len(sent.Spec.Ingress) != len(got.Spec.Ingress):
		return fmt.Sprintf("ingress has %d rules instead of %d", len(got.Spec.Ingress), len(sent.Spec.Ingress))
	}
	return differingEgress(sent.Spec.Egress, got.Spec.Egress)
}

func differingMetadata(sent, got *networkingv1.NetworkPolicy) string {
	for _, label := range []string{LabelManagedBy, LabelPolicy, LabelKind} {
		value, found := got.Labels[label]
		switch want := sent.Labels[label]; {
		case !found && want != "":
			return fmt.Sprintf("the label %s is missing", label)
		case value != want:
			return fmt.Sprintf("the label %s is %q instead of %q", label, value, want)
		}
	}
	ours := metav1.GetControllerOfNoCopy(sent)
	switch theirs := metav1.GetControllerOfNoCopy(got); {
	case ours == nil || theirs != nil && equalReferences(*ours, *theirs):
		return ""
	case theirs == nil:
		return "the controller owner reference is missing"
	default:
		return fmt.Sprintf("the controller owner reference is changed (%s %s)", theirs.Kind, theirs.Name)
	}
}

func differingEgress(sent, got []networkingv1.NetworkPolicyEgressRule) string {
	before, after := grantsIn(readRules(sent)), grantsIn(readRules(got))
	more, fewer := without(after, before), without(before, after)
	var words []string
	if len(more) > 0 {
		words = append(words, "egress has "+grantsText(more, " more"))
	}
	if len(fewer) > 0 {
		words = append(words, "egress lacks "+grantsText(fewer, ""))
	}
	if len(words) == 0 {
		return "egress has its rules or peers in another order, or twice"
	}
	return strings.Join(words, "; ")
}

// grantsText names the first grant and counts the others.
func grantsText(grants []Grant, more string) string {
	peer, ports := grants[0].text()
	text := peer + more + " (" + ports + ")"
	switch n := len(grants) - 1; n {
	case 0:
		return text
	case 1:
		return text + ", and 1 other"
	default:
		return fmt.Sprintf("%s, and %d others", text, n)
	}
}

// maxGrant bounds the words for one grant: a selector may be long.
const maxGrant = 200

func (g *Grant) text() (peer, ports string) {
	switch ports = string(g.Ports.Key); {
	case g.Addr.IsValid():
		peer = "a peer " + cidrOf(g.Addr)
	case g.Peer != nil:
		peer = "a peer " + peerID(*g.Peer)
	default:
		peer = "every destination"
	}
	if ports == "" {
		ports = everyPort
	}
	return shorten(peer, maxGrant), shorten(ports, maxGrant)
}

func selectorText(s *metav1.LabelSelector) string {
	if len(s.MatchLabels) == 0 && len(s.MatchExpressions) == 0 {
		return "{}"
	}
	return shorten(metav1.FormatLabelSelector(s), maxGrant)
}

func shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most-3], "") + "..."
}
