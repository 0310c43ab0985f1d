// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"sync/atomic"

	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fqdn-egress/fqdn-egress/internal/clusterdns"
)

// ClusterDNS is where the facts of the DNS rule come from.
type ClusterDNS interface {
	Facts() clusterdns.Facts
	OnChange(changed func())
	WaitForSync(ctx context.Context) bool
}

// clusterDNSSource wakes every policy when the facts of the DNS rule change, and holds the workers back until they were
// read once: without them the first write after a start would change the DNS rule.
type clusterDNSSource struct {
	r         *PolicyReconciler
	nodeLocal *atomic.Bool // reported
}

// Start implements source.Source.
func (s clusterDNSSource) Start(
	ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request],
) error {
	s.r.ClusterDNS.OnChange(func() {
		s.reportNodeLocal(ctx)
		for _, request := range s.r.allPolicies(ctx) {
			queue.Add(request)
		}
	})
	return nil
}

// WaitForSync implements source.SyncingSource.
func (s clusterDNSSource) WaitForSync(ctx context.Context) error {
	if !s.r.ClusterDNS.WaitForSync(ctx) {
		return fmt.Errorf("waiting for the cluster DNS Service: %w", ctx.Err())
	}
	s.reportNodeLocal(ctx)
	return nil
}

// reportNodeLocal logs once that there are caches which the resolver cannot see. It does not matter to the first answer
// of a name, but to when pods are told the next one.
func (s clusterDNSSource) reportNodeLocal(ctx context.Context) {
	if s.r.ClusterDNS.Facts().NodeLocalDNS && s.nodeLocal.CompareAndSwap(false, true) {
		ctrl.LoggerFrom(ctx).Info("NodeLocal DNSCache is there: every node has a cache of its own that may answer pods otherwise " +
			"than the cluster's DNS; keep a retention longer than the TTLs, and see docs/cluster-dns.md for --cluster-dns")
	}
}
