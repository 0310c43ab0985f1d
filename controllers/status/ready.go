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
)

// readyChecks: whether the rules are true to what DNS says now. A name that does not resolve is told by Resolved alone: it
// must not hold up, or roll back, what waits for the policy.
func readyChecks() []check {
	return []check{notWritable, deaf, disputed, notAnsweredYet, ready}
}

// notWritable: only a person can mend it, or the API server refuses.
func notWritable(d draft) (verdict, bool) {
	reason := d.programmed.reason
	return d.programmed, reason == v1alpha1.ReasonConflict || reason == v1alpha1.ReasonWriteFailed
}

// deaf: no DNS server answers. A start keeps what was said for a moment, see keepUntil.
func deaf(d draft) (verdict, bool) {
	if slices.Contains(d.kept, true) || !d.isDeaf() {
		return verdict{}, false
	}
	return isUnknown(v1alpha1.ReasonDNSUnavailable, d.deafMessage())
}

// disputed: a limit or a contest that lasts. One that is over within disputeWait is not worth an alert: a policy that was
// ready stays so.
func disputed(d draft) (verdict, bool) {
	switch {
	case d.programmed.status != metav1.ConditionFalse:
		return verdict{}, false
	case !falseSince(d.policy.Status.Conditions, d.now).Add(disputeWait).After(d.now):
		return d.programmed, true
	case d.wasReady():
		return isTrue(v1alpha1.ReasonReady, d.programmed.message)
	}
	return isUnknown(d.programmed.reason, d.programmed.message)
}

// notAnsweredYet: a name may still get its first answer, or the first write waits for one.
func notAnsweredYet(d draft) (verdict, bool) {
	if waiting := d.waiting(); len(waiting) > 0 {
		return isUnknown(v1alpha1.ReasonPending, "Waiting for the first answer for "+listed(waiting))
	}
	return d.programmed, d.programmed.status == metav1.ConditionUnknown
}

func ready(d draft) (verdict, bool) {
	words := d.resolved.message
	if n := len(filter(d.names, isUnresolved)); n > 0 {
		words = fmt.Sprintf("%s not resolve to an address that may be allowed: %s", of(n, len(d.names)), words)
	}
	return isTrue(v1alpha1.ReasonReady, words+"; "+lowerFirst(d.programmed.message))
}

// isDeaf tells whether no DNS server has answered anything although a name had its first chance.
func (d draft) isDeaf() bool {
	return slices.ContainsFunc(d.result.Names, func(n target.Name) bool {
		at := d.deafFrom(n)
		return !at.IsZero() && !at.After(d.now)
	})
}

// deafFrom returns from when a name that is asked of nobody, or of servers that never answer, tells so; zero: it does not.
func (f findings) deafFrom(n target.Name) time.Time {
	if _, exact := n.Pattern.Exact(); !exact || f.result.Heard && f.result.Served > 0 {
		return time.Time{}
	}
	return specialOf(n).Wanted.Add(target.FirstWriteWait)
}

func (d draft) deafMessage() string {
	message := "No DNS server has answered anything since the controller started"
	if d.result.Served == 0 {
		message = "There is no DNS server to ask"
	}
	if d.result.Waits {
		return fmt.Sprintf("%s; nothing is written until %s after the policy was created, and then only what needs no name is allowed",
			message, target.UnservedWait)
	}
	return message + ": " + lowerFirst(d.resolved.message)
}

// wasReady tells whether the status says that this generation is ready.
func (d draft) wasReady() bool {
	was := meta.FindStatusCondition(d.policy.Status.Conditions, v1alpha1.ConditionReady)
	return was != nil && was.Status == metav1.ConditionTrue && was.ObservedGeneration == d.policy.Generation
}

// waiting lists the names that may still get their first answer.
func (d draft) waiting() []string {
	var names []string
	for i, n := range d.result.Names {
		if !d.kept[i] && chanceUntil(n).After(d.now) {
			names = append(names, n.Pattern.String())
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
