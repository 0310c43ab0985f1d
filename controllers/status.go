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

// Bounds of a status: a status is stored as JSON and rewritten whole.
const (
	maxListed        = 50    // addresses listed of one name
	maxListedSum     = 5_000 // addresses listed of one policy
	maxListedAtLeast = 10    // addresses listed of one name, however many names there are
	maxRefused       = 10    // refused addresses listed of one name
)

// facts is what a status is made of.
type facts struct {
	policy    *v1alpha1.FQDNEgressPolicy // with the status as it is written now
	snapshot  addressbook.Snapshot
	done      programmed
	contested bool
	dnsRemark string // see dnsRemarkOf
}

// statusFor says in a status what was found and written. The same facts give the same status, whatever the order in
// which they came: a status that says nothing new is not written.
func statusFor(f facts, now time.Time) v1alpha1.FQDNEgressPolicyStatus {
	before := make(map[string]v1alpha1.FQDNStatus, len(f.policy.Status.FQDNs))
	for _, s := range f.policy.Status.FQDNs {
		before[s.FQDN] = s
	}
	names := make([]v1alpha1.FQDNStatus, 0, len(f.snapshot.Entries))
	for _, e := range f.snapshot.Entries {
		names = append(names, f.fqdnStatus(e, before[e.Pattern.String()]))
	}
	status := v1alpha1.FQDNEgressPolicyStatus{
		ObservedGeneration: f.policy.Generation,
		FQDNCount:          int32(len(names)),
		AddressCount:       int32(f.done.plan.AddressCount),
		NetworkPolicies:    f.done.plan.Objects,
		FQDNs:              names,
		Conditions:         slices.Clone(f.policy.Status.Conditions),
	}
	setConditions(&status, f, now)
	return status
}

// fqdnStatus says what is known of one name. Right after a start that is nothing, and then what was written before still is
// the best that can be said.
func (f facts) fqdnStatus(e addressbook.Entry, before v1alpha1.FQDNStatus) v1alpha1.FQDNStatus {
	plan, names := f.done.plan, len(f.snapshot.Entries)
	_, exact := e.Pattern.Exact()
	if exact && e.State == addressbook.Pending && before.State != "" {
		return before
	}
	addresses := withCarried(plan.Allowed[e.Pattern], plan.CarriedFor[e.Pattern])
	status := v1alpha1.FQDNStatus{
		FQDN:         e.Pattern.String(),
		State:        v1alpha1.FQDNState(e.State),
		Message:      e.Message,
		AddressCount: int32(len(addresses)),
		Refused:      refusedOf(plan.Refused[e.Pattern]),
	}
	carried := len(addresses) - len(plan.Allowed[e.Pattern])
	if e.State == addressbook.Failing && carried > 0 {
		status.State = v1alpha1.FQDNStale // the book does not know of what was carried over a restart
		status.Message += fmt.Sprintf(", keeping %d from before the restart", carried)
	}
	status.Pool = poolFor(e, len(addresses), carried, before.Pool)
	if status.Message == "" {
		status.Message = uncoveredMessage(e, f.policy.Spec.RetentionSeconds)
	}
	listed := min(maxListed, max(maxListedSum/names, maxListedAtLeast))
	for _, a := range addresses[:min(len(addresses), listed)] {
		status.Addresses = append(status.Addresses, a.String())
	}
	return status
}

// withCarried joins what is allowed for a name with what it has from before a restart. Both lists are sorted; so is the result.
func withCarried(allowed, carried []netip.Addr) []netip.Addr {
	if len(carried) == 0 {
		return allowed
	}
	all := slices.Concat(allowed, carried)
	slices.SortFunc(all, netip.Addr.Compare)
	return slices.Compact(all)
}

func refusedOf(refusals []netpol.Refusal) []v1alpha1.RefusedAddress {
	var refused []v1alpha1.RefusedAddress
	for _, r := range refusals[:min(len(refusals), maxRefused)] {
		refused = append(refused, v1alpha1.RefusedAddress{Address: r.Addr.String(), Reason: r.Reason})
	}
	return refused
}
