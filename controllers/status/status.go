// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"fmt"
	"slices"
	"time"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/controllers/target"
	"github.com/fqdn-egress/fqdn-egress/controllers/when"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

// findings are what a status is made of.
type findings struct {
	policy    *v1alpha1.FQDNEgressPolicy // with the status as it is written now
	result    target.Result              // of all targets
	dnsRemark string                     // what to know of the cluster's DNS; "" when all is as it should be
}

// statusFor says in a status what was found and written. The same findings give the same status, whatever the order in
// which they came: a status that says nothing new is not written.
func statusFor(f findings, now time.Time) v1alpha1.FQDNEgressPolicyStatus {
	before := statusByName(f.policy.Status)
	names, kept := make([]v1alpha1.FQDNStatus, len(f.result.Names)), make([]bool, len(f.result.Names))
	for i, n := range f.result.Names {
		was := before[n.Pattern.String()]
		if kept[i] = f.keepUntil(n, was).After(now); kept[i] {
			names[i] = *was.DeepCopy() // it belongs to the cache
		} else {
			names[i] = f.fqdnStatus(n, was)
		}
	}
	status := v1alpha1.FQDNEgressPolicyStatus{
		ObservedGeneration: f.policy.Generation,
		FQDNCount:          int32(len(names)),
		UnresolvedCount:    int32(len(filter(names, isUnresolved))),
		AddressCount:       int32(f.result.AddressCount),
		NetworkPolicies:    slices.Clone(f.result.Objects),
		FQDNs:              names,
		Conditions:         slices.Clone(f.policy.Status.Conditions),
	}
	if f.isAudit() && slices.Contains(kept, true) {
		status.AddressCount = f.policy.Status.AddressCount
	}
	setConditions(&status, f, kept, now)
	bound(&status)
	return status
}

func statusByName(s v1alpha1.FQDNEgressPolicyStatus) map[string]v1alpha1.FQDNStatus {
	names := make(map[string]v1alpha1.FQDNStatus, len(s.FQDNs))
	for _, n := range s.FQDNs {
		names[n.FQDN] = n
	}
	return names
}

func (f findings) isAudit() bool { return f.policy.Spec.Mode == v1alpha1.ModeAudit }

// keepUntil returns until when the status keeps what it said of a name before this process started: a start in good health
// writes nothing (invariant 5). It ends with the first answer or failure, or
//
//	after target.FirstWriteWait     if no server has answered anything: then nothing can be said but that
//	after restartPatience    else: with very many names it takes a while until each had its turn
//
// and at once if what was said is not allowed any more. Zero: nothing is kept.
func (f findings) keepUntil(n target.Name, before v1alpha1.FQDNStatus) time.Time {
	_, exact := n.Pattern.Exact()
	if !exact || n.State != addressbook.Pending || before.State == "" || before.State == v1alpha1.FQDNPending {
		return time.Time{}
	}
	if !n.Holds {
		return time.Time{}
	}
	if f.result.Heard && !n.Tried {
		return specialOf(n).Wanted.Add(restartPatience)
	}
	return specialOf(n).Wanted.Add(target.FirstWriteWait)
}

// next returns when the status changes although nothing happens; zero: never.
func (f findings) next(status v1alpha1.FQDNEgressPolicyStatus, now time.Time) time.Time {
	before := statusByName(f.policy.Status)
	var next time.Time
	for _, n := range f.result.Names {
		for _, at := range []time.Time{chanceUntil(n), f.keepUntil(n, before[n.Pattern.String()]), f.deafFrom(n)} {
			if at.After(now) {
				next = when.Earliest(next, at)
			}
		}
	}
	return when.Earliest(next, disputeUntil(status, now))
}

// chanceUntil returns until when a name may still get its first answer before anything is said of it; zero: it has it.
func chanceUntil(n target.Name) time.Time {
	if _, exact := n.Pattern.Exact(); !exact || n.Answered {
		return time.Time{}
	}
	return specialOf(n).Wanted.Add(target.FirstWriteWait)
}

// fqdnStatus says what is known of one name.
func (f findings) fqdnStatus(n target.Name, before v1alpha1.FQDNStatus) v1alpha1.FQDNStatus {
	status := v1alpha1.FQDNStatus{
		FQDN:         n.Pattern.String(),
		State:        v1alpha1.FQDNState(n.State),
		Message:      specialOf(n).Message,
		AddressCount: int32(n.AddressCount),
		Refused:      refusedOf(n.Refusals),
		Pool:         poolFor(n, before.Pool),
	}
	switch {
	case isRefused(n):
		status.State, status.Message = v1alpha1.FQDNRefused, refusedMessage(n)
	case n.State == addressbook.Failing && n.AddressCount > 0:
		// The book does not know of what was carried over a restart. In its words, since they may stand there already.
		status.State = v1alpha1.FQDNStale
		status.Message += ", keeping " + countOf(n.AddressCount, "address", "addresses")
	case status.Message == "":
		status.Message = uncoveredMessage(n, f.policy.Spec.RetentionSeconds)
	}
	listed := min(maxListed, max(maxListedSum/len(f.result.Names), maxListedAtLeast))
	for _, a := range n.Addresses[:min(len(n.Addresses), listed)] {
		status.Addresses = append(status.Addresses, a.String())
	}
	return status
}

// isRefused tells whether the guard keeps out every address that DNS has for a name now: those of earlier answers that are
// still allowed are of no use to a pod that asks today.
func isRefused(n target.Name) bool {
	return n.Refusals != nil && n.Refusals.All && (n.State == addressbook.Resolved || n.State == addressbook.Stale)
}

func refusedMessage(name target.Name) string {
	parts := make([]string, name.Refusals.CurrentCount) // the first few are named, the rest is counted
	for i, r := range name.Refusals.Current {
		parts[i] = r.Addr.String() + ": " + r.Reason
	}
	message := "every address is refused: " + listed(parts)
	if name.AddressCount > 0 {
		message += fmt.Sprintf("; %d of earlier answers still allowed", name.AddressCount)
	}
	return message
}

func refusedOf(rs *target.Refusals) []v1alpha1.RefusedAddress {
	if rs == nil {
		return nil
	}
	refused := make([]v1alpha1.RefusedAddress, len(rs.First))
	for i, r := range rs.First {
		refused[i] = v1alpha1.RefusedAddress{Address: r.Addr.String(), Reason: r.Reason}
	}
	return refused
}
