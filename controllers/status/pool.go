// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"fmt"
	"math"
	"strings"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/controllers/target"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

// poolFor says how much of the pool that a name rotates through is known; nil: it does not rotate. As long as what was
// carried over a restart counts, the pool of before is known better than what was learned since.
func poolFor(n target.Name, before *v1alpha1.PoolStatus) *v1alpha1.PoolStatus {
	seen, rotation := n.AddressCount, specialOf(n).Rotation
	switch {
	case before != nil && n.Carried:
		return &v1alpha1.PoolStatus{Seen: int32(seen), Estimated: max(before.Estimated, int32(seen))}
	case !rotation.Rotates:
		return nil
	}
	estimated := seen
	if rotation.Unseen > 0 {
		estimated = max(seen, roundToTwoDigits(seen+rotation.Unseen))
	}
	return &v1alpha1.PoolStatus{Seen: int32(seen), Estimated: int32(estimated)}
}

// roundToTwoDigits: an estimate knows no more.
func roundToTwoDigits(n int) int {
	unit := 1
	for n/unit >= 100 {
		unit *= 10
	}
	return int(math.Round(float64(n)/float64(unit))) * unit
}

// uncoveredMessage says what to do about a pool of which not all can be kept; "" if all can.
func uncoveredMessage(n target.Name, fixedRetention *int32) string {
	why, remedy := "", ""
	switch uncovered := specialOf(n).Rotation.Uncovered; {
	case uncovered == addressbook.TooMany:
		why, remedy = "has more addresses than --max-addresses-per-name", "raise that"
	case uncovered == addressbook.Forgotten:
		why, remedy = "is not remembered, as the names of this namespace rotate through more addresses than its share", "list fewer such names"
	case uncovered == addressbook.TooSlow && fixedRetention != nil:
		why = fmt.Sprintf("has addresses that come back after more than retentionSeconds %d", *fixedRetention)
		remedy = "leave that unset"
	case uncovered == addressbook.TooSlow:
		why, remedy = "has addresses that come back after more than --max-retention", "raise that"
	default:
		return ""
	}
	return fmt.Sprintf("the pool that this name rotates through %s, so a connection to one that is not kept fails until it is "+
		"written again: %s, or allow the provider's ranges with an ipBlock", why, remedy)
}

// uncoveredNames lists the first names of whose pool not all can be kept.
func uncoveredNames(names []target.Name) string {
	var uncovered []string
	for _, n := range names {
		if specialOf(n).Rotation.Uncovered != addressbook.Covered && len(uncovered) < maxNamed {
			uncovered = append(uncovered, n.Pattern.String())
		}
	}
	return strings.Join(uncovered, ", ")
}
