// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/controllers/metrics"
	"github.com/fqdn-egress/fqdn-egress/controllers/target"
)

// specialOf returns what is special about a name; the zero value: nothing.
func specialOf(n target.Name) target.Special {
	if n.Special == nil {
		return target.Special{}
	}
	return *n.Special
}

// unresolvedReason is the one of metrics.UnresolvedReasons that a name has; "" if it resolves. What is allowed of an earlier answer does not count.
func unresolvedReason(s v1alpha1.FQDNStatus) string {
	switch s.State {
	case v1alpha1.FQDNFailing:
		return v1alpha1.ReasonResolutionFailed
	case v1alpha1.FQDNRefused:
		return v1alpha1.ReasonAddressRefused
	case v1alpha1.FQDNNotFound:
		return v1alpha1.ReasonNameNotFound
	case v1alpha1.FQDNPending:
		if isWildcard(s) {
			return v1alpha1.ReasonWildcardsUnobserved
		}
		return v1alpha1.ReasonPending
	case v1alpha1.FQDNResolved, v1alpha1.FQDNStale:
	}
	return ""
}

func isUnresolved(s v1alpha1.FQDNStatus) bool { return unresolvedReason(s) != "" }

// worstFirst returns the names without an address, the worst first.
func worstFirst(names []v1alpha1.FQDNStatus) []v1alpha1.FQDNStatus {
	severity := func(s v1alpha1.FQDNStatus) int { return slices.Index(metrics.UnresolvedReasons(), unresolvedReason(s)) }
	bad := filter(names, isUnresolved)
	slices.SortStableFunc(bad, func(a, b v1alpha1.FQDNStatus) int { return severity(a) - severity(b) })
	return bad
}

func inState(state v1alpha1.FQDNState) func(v1alpha1.FQDNStatus) bool {
	return func(s v1alpha1.FQDNStatus) bool { return s.State == state }
}

func isWildcard(s v1alpha1.FQDNStatus) bool { return strings.HasPrefix(s.FQDN, "*.") }

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
	parts := make([]string, len(names))
	for i, s := range names {
		parts[i] = s.FQDN
		if s.Message != "" {
			parts[i] += ": " + s.Message
		}
	}
	return listed(parts)
}

// listed joins the first few parts and counts the rest.
func listed(parts []string) string {
	text := strings.Join(parts[:min(len(parts), maxNamed)], "; ")
	if more := len(parts) - maxNamed; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}

// of returns "1 of 12 names does", or "3 of 12 names do".
func of(n, all int) string {
	if n == 1 {
		return fmt.Sprintf("1 of %d names does", all)
	}
	return fmt.Sprintf("%d of %d names do", n, all)
}

// countOf says how many there are of something.
func countOf(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
