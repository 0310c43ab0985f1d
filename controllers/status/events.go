// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
)

// The reasons of events beside those of conditions. What went well is no event.
const (
	eventResolutionFailed    = "ResolutionFailed"
	eventResolutionRecovered = "ResolutionRecovered"
)

// event is one thing that a person should act on, or that such a thing is over.
type event struct{ kind, reason, action, note string }

// eventsFor returns the events of the step from one status to the next: at most one of each reason, so that a policy
// with many names cannot flood the API. Each tells what begins or ends, not that it goes on or moves to another address.
func eventsFor(before, after v1alpha1.FQDNEgressPolicyStatus) []event {
	known := statusByName(before)
	begins := func(is func(v1alpha1.FQDNStatus) bool) []v1alpha1.FQDNStatus {
		return filter(after.FQDNs, func(s v1alpha1.FQDNStatus) bool { return is(s) && !is(known[s.FQDN]) })
	}
	var events []event
	tell := func(kind, reason, note string) {
		if note != "" {
			events = append(events, event{kind, reason, "Resolve", note})
		}
	}
	tell(corev1.EventTypeWarning, eventResolutionFailed, listNames(begins(isFailure)))
	tell(corev1.EventTypeNormal, eventResolutionRecovered, listNames(filter(after.FQDNs, func(s v1alpha1.FQDNStatus) bool {
		was := known[s.FQDN]
		return s.State == v1alpha1.FQDNResolved && (isFailure(was) || was.State == v1alpha1.FQDNRefused)
	})))
	tell(corev1.EventTypeWarning, v1alpha1.ReasonAddressRefused, refusals(begins(hasRefusals), begins(inState(v1alpha1.FQDNRefused))))
	tell(corev1.EventTypeWarning, v1alpha1.ReasonWildcardsUnobserved, listNames(begins(isUnobserved)))
	if c := begun(before, after, v1alpha1.ConditionReady); c != nil && c.Reason == v1alpha1.ReasonDNSUnavailable {
		tell(corev1.EventTypeWarning, c.Reason, c.Message)
	}
	if c := begun(before, after, v1alpha1.ConditionProgrammed); c != nil && c.Status == metav1.ConditionFalse {
		events = append(events, event{corev1.EventTypeWarning, c.Reason, "Program", c.Message})
	}
	return events
}

// begun returns a condition whose reason was another before; nil if it was the same.
func begun(before, after v1alpha1.FQDNEgressPolicyStatus, condition string) *metav1.Condition {
	was := meta.FindStatusCondition(before.Conditions, condition)
	is := meta.FindStatusCondition(after.Conditions, condition)
	if is == nil || was != nil && was.Status == is.Status && was.Reason == is.Reason {
		return nil
	}
	return is
}

func isFailure(s v1alpha1.FQDNStatus) bool {
	return s.State == v1alpha1.FQDNFailing || s.State == v1alpha1.FQDNNotFound || s.State == v1alpha1.FQDNStale
}

func isUnobserved(s v1alpha1.FQDNStatus) bool {
	return unresolvedReason(s) == v1alpha1.ReasonWildcardsUnobserved
}

func hasRefusals(s v1alpha1.FQDNStatus) bool { return len(s.Refused) > 0 }

// refusals tells of names that have a first refused address, and of those that have no other any more.
func refusals(some, all []v1alpha1.FQDNStatus) string {
	var parts []string
	for _, s := range all {
		parts = append(parts, s.FQDN+": "+s.Message)
	}
	for _, s := range some {
		if s.State != v1alpha1.FQDNRefused {
			parts = append(parts, fmt.Sprintf("%s: %s: %s", s.FQDN, s.Refused[0].Address, s.Refused[0].Reason))
		}
	}
	return listed(parts)
}
