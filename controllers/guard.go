// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// Guard knows the blocks of the cluster that no answer may open.
type Guard struct {
	// Client reads from the manager's cache.
	Client client.Client
	// ClusterCIDRs are blocks of the cluster besides the Service ranges.
	ClusterCIDRs []netip.Prefix
	// NAT64Prefixes are the network's own, of the lengths of RFC 6052, beside the well-known ones.
	NAT64Prefixes []netip.Prefix
	// ServiceCIDRs: the API server serves ServiceCIDR objects (Kubernetes 1.33), so their blocks are refused too.
	ServiceCIDRs bool
}

// Current returns the guard without what a policy allows: the blocks that no answer may open, whatever it says.
func (g *Guard) Current(ctx context.Context) (netpol.Guard, error) {
	blocks := slices.Clone(g.ClusterCIDRs)
	if !g.ServiceCIDRs {
		return netpol.Guard{Cluster: blocks, NAT64: g.NAT64Prefixes}, nil
	}
	list := &networkingv1.ServiceCIDRList{}
	if err := g.Client.List(ctx, list, client.DisableReadYourWritesConsistency, client.UnsafeDisableDeepCopy); err != nil {
		return netpol.Guard{}, fmt.Errorf("listing ServiceCIDRs: %w", err)
	}
	for _, sc := range list.Items {
		for _, cidr := range sc.Spec.CIDRs {
			if block, err := netip.ParsePrefix(cidr); err == nil {
				blocks = append(blocks, block)
			}
		}
	}
	slices.SortFunc(blocks, netip.Prefix.Compare)
	return netpol.Guard{Cluster: slices.Compact(blocks), NAT64: g.NAT64Prefixes}, nil
}
