// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"slices"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/controllers/target"
)

// fold makes one Result of those of all targets of a policy. It returns false while there is none, or one that looked at
// another generation of the policy: that target will be looked at again.
//
//	Waits, AwaitsTurn, Contested   one of them does
//	Vanishes                       all of them do
//	Error, Limit, RoomLimit        of the first that has one
//	objects, conflicts, altered    of all of them
//	counts                         the sum; of refused addresses, which answers bring to all alike, the largest
//	names                          of the first; of addresses the smallest number, as a pod may be anywhere
func fold(policy *v1alpha1.FQDNEgressPolicy, results []*target.Result) (target.Result, bool) {
	if len(results) == 0 {
		return target.Result{}, false
	}
	for _, r := range results {
		if r.UID != policy.UID || r.Generation != policy.Generation {
			return target.Result{}, false
		}
	}
	folded := *results[0]
	for _, r := range results[1:] {
		foldInto(&folded, r)
	}
	return folded, true
}

func foldInto(into, r *target.Result) {
	into.Waits, into.AwaitsTurn = into.Waits || r.Waits, into.AwaitsTurn || r.AwaitsTurn
	into.Contested = into.Contested || r.Contested
	into.Vanishes = into.Vanishes && r.Vanishes
	if into.Error == "" {
		into.Error = r.Error
	}
	if into.Limit == "" {
		into.Limit = r.Limit
	}
	into.Objects = slices.Concat(into.Objects, r.Objects)
	into.Planned = slices.Concat(into.Planned, r.Planned)
	into.Conflicts = slices.Concat(into.Conflicts, r.Conflicts)
	into.Altered = slices.Concat(into.Altered, r.Altered)
	into.LeftOut += r.LeftOut
	into.NoRoom += r.NoRoom
	if into.RoomLimit == "" {
		into.RoomLimit = r.RoomLimit
	}
	into.AddressCount += r.AddressCount
	into.Refused = max(into.Refused, r.Refused)
	into.Names = slices.Clone(into.Names)
	for i := range into.Names {
		n, other := &into.Names[i], r.Of(into.Names[i].Pattern)
		n.Carried, n.Holds = n.Carried || other.Carried, n.Holds && other.Holds
		if other.AddressCount < n.AddressCount {
			n.Addresses, n.AddressCount = other.Addresses, other.AddressCount
		}
	}
}
