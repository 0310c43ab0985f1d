// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// maxNamed is how many names a message lists before it only counts.
const maxNamed = 3

// maxMessage bounds the message of a condition; the API server refuses more than 32 KiB.
const maxMessage = 1024

// setConditions sets Resolved, Programmed and, from both, Ready.
func setConditions(status *v1alpha1.FQDNEgressPolicyStatus, f facts, now time.Time) {
	resolved := resolvedCondition(status.FQDNs, uncoveredNames(f.snapshot))
	programmed := programmedCondition(f)
	ready := metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady,
		Message: resolved.Message + "; " + lowerFirst(programmed.Message),
	}
	for _, c := range []metav1.Condition{programmed, resolved} {
		if c.Status == metav1.ConditionFalse {
			ready.Status, ready.Reason, ready.Message = c.Status, c.Reason, c.Message
			break
		}
	}
	for _, c := range []metav1.Condition{ready, resolved, programmed} {
		c.ObservedGeneration = f.policy.Generation
		c.LastTransitionTime = metav1.NewTime(now)
		c.Message = shorten(c.Message)
		meta.SetStatusCondition(&status.Conditions, c)
	}
}

// resolvedCondition folds the states of the names into one condition: the worst state gives the reason. uncovered lists names
// of whose addresses not all can be kept.
func resolvedCondition(names []v1alpha1.FQDNStatus, uncovered string) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionResolved, Status: metav1.ConditionFalse}
	if len(names) == 0 {
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, v1alpha1.ReasonNoNames, "The policy lists no name"
		return c
	}
	for _, bad := range []struct {
		reason string
		is     func(v1alpha1.FQDNStatus) bool
	}{
		{v1alpha1.ReasonResolutionFailed, inState(v1alpha1.FQDNFailing)},
		{v1alpha1.ReasonNameNotFound, inState(v1alpha1.FQDNNotFound)},
		{v1alpha1.ReasonPending, func(s v1alpha1.FQDNStatus) bool { return s.State == v1alpha1.FQDNPending && !isWildcard(s) }},
		{v1alpha1.ReasonWildcardsUnobserved, inState(v1alpha1.FQDNPending)},
	} {
		if found := filter(names, bad.is); len(found) > 0 {
			c.Reason, c.Message = bad.reason, listNames(found)
			return c
		}
	}
	c.Status, c.Reason, c.Message = metav1.ConditionTrue, v1alpha1.ReasonResolved, "Every name has addresses"
	if stale := filter(names, inState(v1alpha1.FQDNStale)); len(stale) > 0 {
		c.Message += "; stale: " + listNames(stale)
	}
	if uncovered != "" {
		c.Message += "; too large a pool to keep all of it: " + uncovered
	}
	return c
}

// programmedCondition says whether what is written is what should be.
func programmedCondition(f facts) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionProgrammed, Status: metav1.ConditionFalse}
	plan := f.done.plan
	switch limited := limitedNames(f); {
	case len(plan.Conflicts) > 0:
		c.Reason = v1alpha1.ReasonConflict
		c.Message = fmt.Sprintf("NetworkPolicy %s exists and is not ours: delete it, or give this policy another name; "+
			"if it is ours and lost its labels, put %s=%s back",
			strings.Join(plan.Conflicts, ", "), netpol.LabelPolicy, f.policy.Name)
	case f.contested:
		c.Reason = v1alpha1.ReasonContested
		c.Message = fmt.Sprintf("Somebody keeps changing %s (a mutating webhook?); repaired every %s",
			strings.Join(plan.Objects, ", "), contestedPace)
	case f.done.err != nil:
		c.Reason, c.Message = v1alpha1.ReasonWriteFailed, f.done.err.Error()
	case plan.LeftOut > 0:
		c.Reason = v1alpha1.ReasonLimitReached
		c.Message = fmt.Sprintf("%d peers do not fit into the NetworkPolicies of one policy and are left out: "+
			"split the policy, or use an ipBlock", plan.LeftOut)
	case len(limited) > 0:
		c.Reason = v1alpha1.ReasonLimitReached
		c.Message = fmt.Sprintf("%s: more addresses than --max-addresses-per-name; the least recently answered are left out",
			strings.Join(limited, ", "))
	case f.policy.Spec.Mode == v1alpha1.ModeAudit:
		c.Status, c.Reason = metav1.ConditionTrue, v1alpha1.ReasonAudit
		c.Message = "Mode Audit: names are resolved and reported, no NetworkPolicy is written"
	default:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, v1alpha1.ReasonProgrammed, "The NetworkPolicies are written"
		if f.dnsRemark != "" && f.policy.Spec.ClusterDNS != v1alpha1.ClusterDNSOmit {
			c.Message += "; " + f.dnsRemark
		}
	}
	return c
}

func limitedNames(f facts) []string {
	var names []string
	for _, e := range f.snapshot.Entries {
		if e.Limited && len(names) < maxNamed {
			names = append(names, e.Pattern.String())
		}
	}
	return names
}

func inState(state v1alpha1.FQDNState) func(v1alpha1.FQDNStatus) bool {
	return func(s v1alpha1.FQDNStatus) bool { return s.State == state }
}

func isWildcard(s v1alpha1.FQDNStatus) bool { return strings.HasPrefix(string(s.FQDN), "*.") }

func filter(names []v1alpha1.FQDNStatus, keep func(v1alpha1.FQDNStatus) bool) []v1alpha1.FQDNStatus {
	var kept []v1alpha1.FQDNStatus
	for _, s := range names {
		if keep(s) {
			kept = append(kept, s)
		}
	}
	return kept
}

// listNames names the first few with their messages and counts the rest.
func listNames(names []v1alpha1.FQDNStatus) string {
	var parts []string
	for _, s := range names[:min(len(names), maxNamed)] {
		part := string(s.FQDN)
		if s.Message != "" {
			part += ": " + s.Message
		}
		parts = append(parts, part)
	}
	if more := len(names) - maxNamed; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, "; ")
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

func shorten(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	return strings.ToValidUTF8(s[:maxMessage-3], "") + "..."
}
