// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"slices"
	"strings"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// subject is a name that is wanted in a view. It takes 32 bytes, as there may be a hundred thousand: all that many of them have in
// common is in the cohort.
type subject struct {
	name    fqdn.Name
	cohort  *cohort
	queries *query // about it, one for each lane of the view and family; the others follow by query.next
}

// cohort is all subjects of a view that the same tenants want and that came in equal crowds. With two tenants and names that come by
// twos and by five hundreds that is up to six cohorts:
//
//	tenants    rank
//	a          0, 2
//	b          0, 2
//	a and b    0, 2
type cohort struct {
	view     *viewLanes
	tenants  []string // sorted; at least one
	rank     int      // crowdRank of how many names came together, for the tenant for whom fewest came
	subjects int      // how many there are
}

// cohortKey tells the cohorts of a view apart.
type cohortKey struct {
	tenants string // joined by commas, which no namespace has
	rank    int
}

func keyOf(tenants []string, rank int) cohortKey {
	return cohortKey{strings.Join(tenants, ","), rank}
}

// cohort finds or makes the one of tenants and a rank.
func (v *viewLanes) cohort(tenants []string, rank int) *cohort {
	key := keyOf(tenants, rank)
	c := v.cohorts[key]
	if c == nil {
		c = &cohort{view: v, tenants: tenants, rank: rank}
		v.cohorts[key] = c
	}
	return c
}

// path is the chain of an answer about s that led by some names after s's own; nil: by none.
func (s *subject) path(names []string) *path {
	if len(names) == 0 {
		return nil
	}
	for q := s.queries; q != nil; q = q.next {
		if q.path != nil && slices.Equal(q.path.names, names) {
			return q.path
		}
	}
	return &path{slices.Clone(names)}
}
