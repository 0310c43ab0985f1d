// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// facts is what a status is made of.
type facts struct {
	policy    *v1alpha1.FQDNEgressPolicy // with the status as it is written now
	snapshot  addressbook.Snapshot
	done      programmed
	live      netpol.Liveness // what the API has after done
	contested bool
	altered   string // what the API server makes of our writes; "" for what was sent
	dnsRemark string // what to know of the cluster's DNS; "" when all is as it should be
}

// statusFor says in a status what was found and written. The same facts give the same status, whatever the order in
// which they came: a status that says nothing new is not written.
func statusFor(f facts, now time.Time) v1alpha1.FQDNEgressPolicyStatus {
	before := statusByName(f.policy.Status)
	names, kept := make([]v1alpha1.FQDNStatus, len(f.snapshot.Entries)), make([]bool, len(f.snapshot.Entries))
	for i, e := range f.snapshot.Entries {
		was := before[e.Pattern.String()]
		if kept[i] = f.keepUntil(e, was).After(now); kept[i] {
			names[i] = was
		} else {
			names[i] = f.fqdnStatus(e, was)
		}
	}
	status := v1alpha1.FQDNEgressPolicyStatus{
		ObservedGeneration: f.policy.Generation,
		FQDNCount:          int32(len(names)),
		UnresolvedCount:    int32(len(filter(names, isUnresolved))),
		AddressCount:       int32(len(f.live.Addresses)),
		NetworkPolicies:    f.live.Objects,
		FQDNs:              names,
		Conditions:         slices.Clone(f.policy.Status.Conditions),
	}
	if f.isAudit() {
		status.AddressCount = int32(f.done.plan.AddressCount)
		if slices.Contains(kept, true) {
			status.AddressCount = f.policy.Status.AddressCount
		}
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

func (f facts) isAudit() bool { return f.policy.Spec.Mode == v1alpha1.ModeAudit }

// keepUntil returns until when the status keeps what it said of a name before this process started: a start in good health
// writes nothing (invariant 5). It ends with the first answer or failure, or
//
//	after firstWriteWait     if no server has answered anything: then nothing can be said but that
//	after restartPatience    else: with very many names it takes a while until each had its turn
//
// and at once if what was said is not allowed any more. Zero: nothing is kept.
func (f facts) keepUntil(e addressbook.Entry, before v1alpha1.FQDNStatus) time.Time {
	_, exact := e.Pattern.Exact()
	if !exact || e.State != addressbook.Pending || before.State == "" || before.State == v1alpha1.FQDNPending {
		return time.Time{}
	}
	for _, s := range before.Addresses {
		if a, err := netip.ParseAddr(s); !f.isAudit() && (err != nil || !contains(f.live.Addresses, a)) {
			return time.Time{}
		}
	}
	if f.snapshot.Heard && !e.Tried {
		return e.Wanted.Add(restartPatience)
	}
	return e.Wanted.Add(firstWriteWait)
}

// next returns when the status changes although nothing happens; zero: never.
func (f facts) next(status v1alpha1.FQDNEgressPolicyStatus, now time.Time) time.Time {
	before := statusByName(f.policy.Status)
	var next time.Time
	for _, e := range f.snapshot.Entries {
		for _, at := range []time.Time{chanceUntil(e), f.keepUntil(e, before[e.Pattern.String()]), f.deafFrom(e)} {
			if at.After(now) {
				next = earliest(next, at)
			}
		}
	}
	return earliest(next, disputeUntil(status, now))
}

// chanceUntil returns until when a name may still get its first answer before anything is said of it; zero: it has it.
func chanceUntil(e addressbook.Entry) time.Time {
	if _, exact := e.Pattern.Exact(); !exact || !e.Answered.IsZero() {
		return time.Time{}
	}
	return e.Wanted.Add(firstWriteWait)
}

// fqdnStatus says what is known of one name.
func (f facts) fqdnStatus(e addressbook.Entry, before v1alpha1.FQDNStatus) v1alpha1.FQDNStatus {
	plan := f.done.plan
	addresses, carried := f.live.For[e.Pattern], plan.StillCarried.Has(e.Pattern)
	if f.isAudit() {
		addresses, carried = plan.Allowed[e.Pattern], false
	}
	status := v1alpha1.FQDNStatus{
		FQDN:         e.Pattern.String(),
		State:        v1alpha1.FQDNState(e.State),
		Message:      e.Message,
		AddressCount: int32(len(addresses)),
		Refused:      refusedOf(plan.Refused[e.Pattern]),
		Pool:         poolFor(e, len(addresses), carried, before.Pool),
	}
	switch refused := refusedNow(e, plan.Refused[e.Pattern]); {
	case len(refused) > 0:
		status.State, status.Message = v1alpha1.FQDNRefused, refusedMessage(refused, len(addresses))
	case e.State == addressbook.Failing && len(addresses) > 0:
		// The book does not know of what was carried over a restart. In its words, since they may stand there already.
		status.State = v1alpha1.FQDNStale
		status.Message += ", keeping " + countOf(len(addresses), "address", "addresses")
	case status.Message == "":
		status.Message = uncoveredMessage(e, f.policy.Spec.RetentionSeconds)
	}
	listed := min(maxListed, max(maxListedSum/len(f.snapshot.Entries), maxListedAtLeast))
	for _, a := range addresses[:min(len(addresses), listed)] {
		status.Addresses = append(status.Addresses, a.String())
	}
	return status
}

// refusedNow returns the refusals of a name of which the guard keeps out every address that DNS has for it now: those of
// earlier answers that are still allowed are of no use to a pod that asks today. Else nil.
func refusedNow(e addressbook.Entry, refusals []netpol.Refusal) []netpol.Refusal {
	if e.State != addressbook.Resolved && e.State != addressbook.Stale {
		return nil
	}
	var refused []netpol.Refusal
	for _, a := range e.Addresses {
		if !a.Current {
			continue
		}
		i := slices.IndexFunc(refusals, func(r netpol.Refusal) bool { return r.Addr == a.Addr })
		if i < 0 {
			return nil
		}
		refused = append(refused, refusals[i])
	}
	return refused
}

func refusedMessage(refused []netpol.Refusal, kept int) string {
	parts := make([]string, len(refused))
	for i, r := range refused {
		parts[i] = r.Addr.String() + ": " + r.Reason
	}
	message := "every address is refused: " + listed(parts)
	if kept > 0 {
		message += fmt.Sprintf("; %d of earlier answers still allowed", kept)
	}
	return message
}

func refusedOf(refusals []netpol.Refusal) []v1alpha1.RefusedAddress {
	var refused []v1alpha1.RefusedAddress
	for _, r := range refusals[:min(len(refusals), maxRefused)] {
		refused = append(refused, v1alpha1.RefusedAddress{Address: r.Addr.String(), Reason: r.Reason})
	}
	return refused
}

// earliest returns the earliest of the given instants; zero ones do not count.
func earliest(instants ...time.Time) time.Time {
	var first time.Time
	for _, at := range instants {
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}
