// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"net/netip"
	"time"
)

// The pace of writes; docs/design.md says why.
const (
	firstWriteWait  = 2 * time.Second        // a new policy waits that long for its names before the first write
	unservedWait    = 30 * time.Second       // and that long after its creation while there is no DNS server to ask
	restartPatience = time.Minute            // what the status says of a name outlasts a start by that while DNS answers others
	firstStatusWait = 200 * time.Millisecond // the first status of a generation waits that long for names: mostly it is the last then
	disputeWait     = time.Minute            // LimitReached and Contested turn Ready False after that
	statusInterval  = 5 * time.Second        // between two writes of a status when only the status changed
	addressBurst    = 10                     // address writes of a policy that go out at once
	addressInterval = 2 * time.Second        // between two address writes of a policy after the burst
	contestedAfter  = 5                      // repairs within contestedWithin
	contestedWithin = time.Minute            //
	contestedPace   = 30 * time.Second       // between two repairs of a contested object
)

// Options are the settings of a PolicyReconciler. The zero value works.
type Options struct {
	// ClusterCIDRs are blocks of the cluster that no answer may open, besides the Service ranges.
	ClusterCIDRs []netip.Prefix
	// NAT64Prefixes are the network's own, of the lengths of RFC 6052, beside the well-known ones.
	NAT64Prefixes []netip.Prefix
	// ExtraDNS are further addresses of the cluster's DNS, such as 169.254.20.10 of NodeLocal DNSCache.
	ExtraDNS []netip.Addr
	// DNSService names the cluster's DNS Service in messages: "kube-system/kube-dns".
	DNSService string
	// MaxStale bounds how long a restart carries addresses whose names do not answer. Zero: it carries nothing.
	MaxStale time.Duration
	// ServiceCIDRs: the API server serves ServiceCIDR objects (Kubernetes 1.33), so their blocks are refused too.
	ServiceCIDRs bool
	// MaxConcurrentReconciles is the number of policies reconciled at once. Zero: 1.
	MaxConcurrentReconciles int
}
