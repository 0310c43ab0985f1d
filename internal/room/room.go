// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package room says how much of what the process may hold is left for one tenant.
package room

// Left returns how many more a tenant may have that has so many, where all tenants together have `all` and may have limit; never less
// than 0. tenants is how many there are.
//
// The last fifth is kept for tenants that have less than an equal part of it, so that a few that have a lot do not keep all others from
// a new name, or from following an address that moved. With a limit of 100 and four tenants:
//
//	in all  a tenant with 70 may have  one with 4 may have
//	70      10 more                    10 more
//	80      no more                    1 more: a quarter of the last 20 is 5
//	100     no more                    no more
//
// Of two tenants the one that has less never has less left.
func Left(limit, all, has, tenants int) int {
	reserve := limit / 5
	common := limit - reserve - all
	part := min(reserve/max(tenants, 1)-has, limit-all)
	return max(common, part, 0)
}
