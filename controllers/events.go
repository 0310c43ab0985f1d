// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
)

// The reasons of events beside those of ConditionProgrammed. What went well is no event.
const (
	eventResolutionFailed    = "ResolutionFailed"
	eventResolutionRecovered = "ResolutionRecovered"
	eventAddressRefused      = "AddressRefused"
)

// event is one thing that a person should act on, or that such a thing is over.
type event struct{ kind, reason, action, note string }

// eventsFor returns the events of the step from one status to the next: at most one of each reason, so that a policy
// with many names cannot flood the API.
func eventsFor(before, after v1alpha1.FQDNEgressPolicyStatus) []event {
	known := make(map[string]v1alpha1.FQDNStatus, len(before.FQDNs))
	for _, s := range before.FQDNs {
		known[s.FQDN] = s
	}
	var events []event
	if failed := filter(after.FQDNs, func(s v1alpha1.FQDNStatus) bool {
		return isFailure(s.State) && !isFailure(known[s.FQDN].State)
	}); len(failed) > 0 {
		events = append(events, event{corev1.EventTypeWarning, eventResolutionFailed, "Resolve", listNames(failed)})
	}
	if recovered := filter(after.FQDNs, func(s v1alpha1.FQDNStatus) bool {
		return s.State == v1alpha1.FQDNResolved && isFailure(known[s.FQDN].State)
	}); len(recovered) > 0 {
		events = append(events, event{corev1.EventTypeNormal, eventResolutionRecovered, "Resolve", listNames(recovered)})
	}
	if note := newlyRefused(known, after.FQDNs); note != "" {
		events = append(events, event{corev1.EventTypeWarning, eventAddressRefused, "Resolve", note})
	}
	return append(events, programmedEvents(before, after)...)
}

// programmedEvents tells when ConditionProgrammed became False, or False for another reason.
func programmedEvents(before, after v1alpha1.FQDNEgressPolicyStatus) []event {
	was := meta.FindStatusCondition(before.Conditions, v1alpha1.ConditionProgrammed)
	is := meta.FindStatusCondition(after.Conditions, v1alpha1.ConditionProgrammed)
	if is == nil || is.Status != metav1.ConditionFalse || (was != nil && was.Reason == is.Reason) {
		return nil
	}
	return []event{{corev1.EventTypeWarning, is.Reason, "Program", is.Message}}
}

func isFailure(state v1alpha1.FQDNState) bool {
	return state == v1alpha1.FQDNFailing || state == v1alpha1.FQDNNotFound || state == v1alpha1.FQDNStale
}

func newlyRefused(known map[string]v1alpha1.FQDNStatus, names []v1alpha1.FQDNStatus) string {
	note, more := "", 0
	for _, s := range names {
		for _, refused := range s.Refused {
			if slices.Contains(known[s.FQDN].Refused, refused) {
				continue
			}
			if note != "" {
				more++
				continue
			}
			note = fmt.Sprintf("%s: %s: %s", s.FQDN, refused.Address, refused.Reason)
		}
	}
	if more > 0 {
		note += fmt.Sprintf("; and %d more", more)
	}
	return note
}
