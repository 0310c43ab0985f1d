// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package clusterdns follows the Service of the cluster's DNS and its EndpointSlices: the addresses that the resolver
// asks, and the facts that the DNS rule is made of.
package clusterdns

import (
	"context"
	"net/netip"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// Port is a port of the DNS Service or of its pods.
type Port struct {
	Protocol string // "UDP" or "TCP"
	Port     int32
}

// Facts is what is known of the cluster's DNS. The zero value: the Service is not there.
type Facts struct {
	Found        bool
	Namespace    string
	Selector     map[string]string
	ClusterIPs   []netip.Addr // both families; none for a headless Service
	ServicePorts []Port       // sorted, UDP and TCP only
	TargetPorts  []Port       // sorted, as the EndpointSlices have them
	// NodeLocalDNS: the Service kube-dns-upstream of NodeLocal DNSCache is there, so nodes have caches of their own.
	NodeLocalDNS bool
}

// Follower follows the DNS Service; it runs on standbys too. Safe for concurrent use.
type Follower struct{}

// New returns a Follower for one Service. It does nothing before Start.
func New(cfg *rest.Config, service types.NamespacedName) (*Follower, error) {
	panic("contract: to be written")
}

// OnChange adds a function that is called, without a lock held, after Facts changed. It must not block. Call before Start.
func (f *Follower) OnChange(changed func()) { panic("contract: to be written") }

// Start follows until ctx ends; it returns an error when its caches cannot be synced.
func (f *Follower) Start(ctx context.Context) error { panic("contract: to be written") }

// NeedLeaderElection tells the manager to run the Follower on standbys too.
func (f *Follower) NeedLeaderElection() bool { return false }

// WaitForSync blocks until the first state was read; false when ctx ended before.
func (f *Follower) WaitForSync(ctx context.Context) bool { panic("contract: to be written") }

// Facts returns what is known now.
func (f *Follower) Facts() Facts { panic("contract: to be written") }

// Upstreams returns the ready endpoints as address and UDP port, sorted, and a channel that is closed when that set changes.
func (f *Follower) Upstreams() ([]netip.AddrPort, <-chan struct{}) { panic("contract: to be written") }
