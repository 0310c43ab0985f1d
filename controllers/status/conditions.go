// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
)

// draft is a status whose conditions are to be judged, and what it was made of.
type draft struct {
	findings

	names []v1alpha1.FQDNStatus // as the status has them
	kept  []bool                // which of them are as they were before the start, see keepUntil
	now   time.Time

	// For the checks of Ready, what was found before.
	resolved, programmed verdict
}

// verdict is what a condition says.
type verdict struct {
	status          metav1.ConditionStatus
	reason, message string
}

// check looks at one thing and objects, or not. The checks of a condition stand in order, the most pressing first: the
// first that objects makes the verdict. The last one always has something to say.
type check func(draft) (v verdict, objects bool)

func judge(d draft, checks []check) verdict {
	for _, c := range checks {
		if found, objects := c(d); objects {
			return found
		}
	}
	return verdict{} // not reached
}

func isTrue(reason, message string) (verdict, bool) {
	return verdict{metav1.ConditionTrue, reason, message}, true
}

func isFalse(reason, message string) (verdict, bool) {
	return verdict{metav1.ConditionFalse, reason, message}, true
}

func isUnknown(reason, message string) (verdict, bool) {
	return verdict{metav1.ConditionUnknown, reason, message}, true
}

// setConditions sets Resolved and Programmed, Ready from both, and Stalled while only a person can help.
func setConditions(status *v1alpha1.FQDNEgressPolicyStatus, f findings, kept []bool, now time.Time) {
	d := draft{findings: f, names: status.FQDNs, kept: kept, now: now}
	d.resolved = judge(d, resolvedChecks())
	d.programmed = judge(d, programmedChecks())
	set := func(kind string, v verdict) {
		c := metav1.Condition{
			Type: kind, Status: v.status, Reason: v.reason, Message: v.message,
			ObservedGeneration: f.policy.Generation, LastTransitionTime: metav1.NewTime(now),
		}
		if was := meta.FindStatusCondition(status.Conditions, kind); was != nil && was.LastTransitionTime.Unix() <= 0 {
			was.LastTransitionTime = c.LastTransitionTime // the default of the CRD has no time
		}
		meta.SetStatusCondition(&status.Conditions, c)
	}
	set(v1alpha1.ConditionReady, judge(d, readyChecks()))
	set(v1alpha1.ConditionResolved, d.resolved)
	set(v1alpha1.ConditionProgrammed, d.programmed)
	if d.programmed.reason == v1alpha1.ReasonConflict {
		set(v1alpha1.ConditionStalled, verdict{metav1.ConditionTrue, d.programmed.reason, d.programmed.message})
	} else {
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionStalled)
	}
}
