// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import "time"

// Options sets up a Book. A zero field takes its default; a negative one counts as 0, a negative limit as unset.
type Options struct {
	Families            []Family      // the families that are asked; both by default. Answers of others are dropped
	Retention           time.Duration // of owners that set none; 5m
	MaxRetention        time.Duration // how far the rotation of a name may extend that; 1h, and at least Retention
	MaxStale            time.Duration // how long errors keep an address beyond its expiry, and the longest TTL that counts; 24h
	MaxAddressesPerName int           // over all families and sources, or of the pool of a wildcard; 1000

	// Of a tenant: distinct names and wildcards that its owners list, 5000, and the addresses that these owners list of them, 20,000.
	// An address that two of its names have counts twice; one that is kept for another tenant alone does not.
	MaxNamesPerTenant, MaxAddressesPerTenant int
	// Of a tenant: how often its owners list a name or wildcard; ten times MaxNamesPerTenant. A name that 100 policies list counts
	// 100 times.
	MaxListingsPerTenant int
	// Of the process: distinct names and wildcards, 70,000, and their addresses, 250,000. The last fifth is kept for tenants that have
	// less than an equal part of it. See memory.go for what that takes.
	MaxNames, MaxAddresses int
	// Of the process: how often a name or wildcard is listed; 180,000. The last fifth is kept in the same way.
	MaxListings int
}

// listingsPerName is how often the owners of a tenant that has as many names as it may list each of them, on average.
const listingsPerName = 10

// The defaults of Options.
const (
	DefaultRetention             = 5 * time.Minute
	DefaultMaxRetention          = time.Hour
	DefaultMaxStale              = 24 * time.Hour
	DefaultMaxAddressesPerName   = 1000
	DefaultMaxNamesPerTenant     = 5000
	DefaultMaxAddressesPerTenant = 20_000
	DefaultMaxNames              = 70_000
	DefaultMaxListings           = 180_000
	DefaultMaxAddresses          = 250_000
)

func (o Options) withDefaults() Options {
	if len(o.Families) == 0 {
		o.Families = []Family{IPv4, IPv6}
	}
	o.Retention = orDefault(o.Retention, DefaultRetention)
	o.MaxRetention = max(orDefault(o.MaxRetention, DefaultMaxRetention), o.Retention)
	o.MaxStale = orDefault(o.MaxStale, DefaultMaxStale)
	o.MaxAddressesPerName = limitOr(o.MaxAddressesPerName, DefaultMaxAddressesPerName)
	o.MaxNamesPerTenant = limitOr(o.MaxNamesPerTenant, DefaultMaxNamesPerTenant)
	o.MaxAddressesPerTenant = limitOr(o.MaxAddressesPerTenant, DefaultMaxAddressesPerTenant)
	o.MaxListingsPerTenant = limitOr(o.MaxListingsPerTenant, listingsPerName*o.MaxNamesPerTenant)
	o.MaxNames = limitOr(o.MaxNames, DefaultMaxNames)
	o.MaxAddresses = limitOr(o.MaxAddresses, DefaultMaxAddresses)
	o.MaxListings = limitOr(o.MaxListings, DefaultMaxListings)
	return o
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return max(d, 0)
}

// maxCaptures is how many captures a tenant may have: a quarter of those of the process, so that its names, if they are ever new,
// leave the pools of others something to remember.
func (o *Options) maxCaptures() int { return max(o.MaxAddresses/4, 1) }

func limitOr(limit, otherwise int) int {
	if limit <= 0 {
		return otherwise
	}
	return limit
}
