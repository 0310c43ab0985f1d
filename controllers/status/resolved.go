// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"slices"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/controllers/metrics"
)

// resolvedChecks: whether every name has an allowed address. The message lists the names that have none, the worst first.
func resolvedChecks() []check {
	checks := []check{func(d draft) (verdict, bool) {
		if len(d.names) > 0 {
			return verdict{}, false
		}
		return isTrue(v1alpha1.ReasonNoNames, "The policy lists no name")
	}}
	for _, reason := range metrics.UnresolvedReasons() {
		checks = append(checks, func(d draft) (verdict, bool) {
			if !slices.ContainsFunc(d.names, func(s v1alpha1.FQDNStatus) bool { return unresolvedReason(s) == reason }) {
				return verdict{}, false
			}
			return isFalse(reason, listNames(worstFirst(d.names)))
		})
	}
	return append(checks, func(d draft) (verdict, bool) {
		message := "Every name has addresses"
		if stale := filter(d.names, inState(v1alpha1.FQDNStale)); len(stale) > 0 {
			message += "; stale: " + listNames(stale)
		}
		if uncovered := uncoveredNames(d.result.Names); uncovered != "" {
			message += "; too large a pool to keep all of it: " + uncovered
		}
		return isTrue(v1alpha1.ReasonResolved, message)
	})
}
