// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"net/netip"
	"time"
)

// When a target is looked at; docs/design.md says why.
const (
	// FirstWriteWait is how long a new policy waits for its names before the first write.
	FirstWriteWait = 2 * time.Second
	// UnservedWait is how long it waits after its creation while there is no DNS server to ask.
	UnservedWait = 30 * time.Second
	// ContestedPace is the time between two repairs of a contested object.
	ContestedPace = 30 * time.Second

	contestedAfter  = 5           // repairs within contestedWithin
	contestedWithin = time.Minute //
)

// Options are the settings of a Reconciler. The zero value works.
type Options struct {
	// ExtraDNS are further addresses of the cluster's DNS, such as 169.254.20.10 of NodeLocal DNSCache.
	ExtraDNS []netip.Addr
	// MaxStale bounds how long a restart carries addresses whose names do not answer. Zero: it carries nothing.
	MaxStale time.Duration
	// MaxPeersPerTenant is how many peers the generated NetworkPolicies of a tenant have together, and MaxPeers how many those of all
	// tenants have, of which the last fifth is kept for tenants that have less than an equal part of it. What is live already stays
	// beyond that. Zero or less: the defaults.
	MaxPeersPerTenant, MaxPeers int
}
