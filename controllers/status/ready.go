// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/controllers/target"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

// readyChecks: whether the rules are true to what DNS says now. A name that does not resolve is told by Resolved alone: it
// must not hold up, or roll back, what waits for the policy.
func readyChecks() []check {
	return []check{notWritable, deaf, disputed, notAnsweredYet, ready}
}

// notWritable: only a person can mend it, or the API server refuses.
func notWritable(v view) (verdict, bool) {
	reason := v.programmed.reason
	return v.programmed, reason == v1alpha1.ReasonConflict || reason == v1alpha1.ReasonWriteFailed
}

// deaf: no DNS server answers. A start keeps what was said for a moment, see keepUntil.
func deaf(v view) (verdict, bool) {
	if slices.Contains(v.kept, true) || !v.isDeaf() {
		return verdict{}, false
	}
	return isUnknown(v1alpha1.ReasonDNSUnavailable, v.deafMessage())
}

// disputed: a limit or a contest that lasts. One that is over within disputeWait is not worth an alert: a policy that was
// ready stays so.
func disputed(v view) (verdict, bool) {
	switch {
	case v.programmed.status != metav1.ConditionFalse:
		return verdict{}, false
	case !falseSince(v.policy.Status.Conditions, v.now).Add(disputeWait).After(v.now):
		return v.programmed, true
	case v.wasReady():
		return isTrue(v1alpha1.ReasonReady, v.programmed.message)
	}
	return isUnknown(v.programmed.reason, v.programmed.message)
}

// notAnsweredYet: a name may still get its first answer, or the first write waits for one.
func notAnsweredYet(v view) (verdict, bool) {
	if waiting := v.waiting(); len(waiting) > 0 {
		return isUnknown(v1alpha1.ReasonPending, "Waiting for the first answer for "+listed(waiting))
	}
	return v.programmed, v.programmed.status == metav1.ConditionUnknown
}

func ready(v view) (verdict, bool) {
	words := v.resolved.message
	if n := len(filter(v.names, isUnresolved)); n > 0 {
		words = fmt.Sprintf("%s not resolve to an address that may be allowed: %s", of(n, len(v.names)), words)
	}
	return isTrue(v1alpha1.ReasonReady, words+"; "+lowerFirst(v.programmed.message))
}

// isDeaf tells whether no DNS server has answered anything although a name had its first chance.
func (v view) isDeaf() bool {
	return slices.ContainsFunc(v.snapshot.Entries, func(e addressbook.Entry) bool {
		at := v.deafFrom(e)
		return !at.IsZero() && !at.After(v.now)
	})
}

// deafFrom returns from when a name that is asked of nobody, or of servers that never answer, tells so; zero: it does not.
func (f facts) deafFrom(e addressbook.Entry) time.Time {
	if _, exact := e.Pattern.Exact(); !exact || f.snapshot.Heard && f.snapshot.Served > 0 {
		return time.Time{}
	}
	return e.Wanted.Add(target.FirstWriteWait)
}

func (v view) deafMessage() string {
	message := "No DNS server has answered anything since the controller started"
	if v.snapshot.Served == 0 {
		message = "There is no DNS server to ask"
	}
	if v.result.Waits {
		return fmt.Sprintf("%s; nothing is written until %s after the policy was created, and then only what needs no name is allowed",
			message, target.UnservedWait)
	}
	return message + ": " + lowerFirst(v.resolved.message)
}

// wasReady tells whether the status says that this generation is ready.
func (v view) wasReady() bool {
	was := meta.FindStatusCondition(v.policy.Status.Conditions, v1alpha1.ConditionReady)
	return was != nil && was.Status == metav1.ConditionTrue && was.ObservedGeneration == v.policy.Generation
}

// waiting lists the names that may still get their first answer.
func (v view) waiting() []string {
	var names []string
	for i, e := range v.snapshot.Entries {
		if !v.kept[i] && chanceUntil(e).After(v.now) {
			names = append(names, e.Pattern.String())
		}
	}
	return names
}

// falseSince returns since when Programmed is False; now, if it was not.
func falseSince(conditions []metav1.Condition, now time.Time) time.Time {
	was := meta.FindStatusCondition(conditions, v1alpha1.ConditionProgrammed)
	if was == nil || was.Status != metav1.ConditionFalse {
		return now
	}
	return was.LastTransitionTime.Time
}

// disputeUntil returns when a limit or a contest turns Ready False; zero: it does not.
func disputeUntil(status v1alpha1.FQDNEgressPolicyStatus, now time.Time) time.Time {
	if !meta.IsStatusConditionFalse(status.Conditions, v1alpha1.ConditionProgrammed) ||
		meta.IsStatusConditionFalse(status.Conditions, v1alpha1.ConditionReady) {
		return time.Time{}
	}
	return falseSince(status.Conditions, now).Add(disputeWait)
}
