// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"

	"github.com/go-logr/logr"
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
	r        *PolicyReconciler
	reported *reportedNotices
}

// Start implements source.Source.
func (s clusterDNSSource) Start(
	ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request],
) error {
	s.r.ClusterDNS.OnChange(func() {
		s.report(ctx)
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
	s.report(ctx)
	return nil
}

func (s clusterDNSSource) report(ctx context.Context) {
	s.reported.log(ctrl.LoggerFrom(ctx), dnsNotices(s.r.ClusterDNS.Facts(), s.r.Options.DNSService))
}

// dnsNotice is something about the cluster's DNS that a person must know.
type dnsNotice struct {
	kind string // the label notice of the metric
	text string
	// status: it stands in the status of the policies too, as their DNS rule or their names depend on it.
	status bool
}

// The kinds of dnsNotice.
const (
	noticeNoServer     = "no_server"
	noticeStandIn      = "stand_in"
	noticeOtherServers = "other_servers"
	noticeNodeLocal    = "nodelocal"
)

// dnsNotices returns what must be known now. The same facts give the same words.
func dnsNotices(f clusterdns.Facts, service string) []dnsNotice {
	var notices []dnsNotice
	state := "is not there"
	if f.Found {
		state = "has no ready endpoint"
	}
	switch {
	case f.Asked == clusterdns.AskedStandIns:
		notices = append(notices, dnsNotice{noticeStandIn, fmt.Sprintf("the cluster DNS Service %s %s, so %s, which pods are told "+
			"to ask, takes its place in the DNS rule and in --upstreams cluster", service, state, joined(f.StandIns)), true})
	case f.Asked == clusterdns.AskedNobody && f.Found:
		notices = append(notices, dnsNotice{noticeNoServer, fmt.Sprintf("the cluster DNS Service %s %s, and nothing is known to "+
			"take its place: set --cluster-dns to the address in a pod's /etc/resolv.conf", service, state), true})
	case f.Asked == clusterdns.AskedNobody:
		notices = append(notices, dnsNotice{noticeNoServer, fmt.Sprintf("the cluster DNS Service %s %s, so the DNS rule follows the "+
			"convention (pods k8s-app=kube-dns of kube-system, port 53): set --cluster-dns-service to the Service, or "+
			"--cluster-dns to the address in a pod's /etc/resolv.conf", service, state), true})
	}
	if len(f.OtherServers) > 0 {
		notices = append(notices, dnsNotice{noticeOtherServers, fmt.Sprintf("pods are told to ask %s, which is no address of the "+
			"cluster DNS Service %s, and the DNS rule does not allow it: set --cluster-dns, and see docs/platforms.md",
			joined(f.OtherServers), service), true})
	}
	if f.NodeLocalDNS {
		notices = append(notices, dnsNotice{noticeNodeLocal, "NodeLocal DNSCache is there: every node has a cache of its own that may " +
			"answer pods otherwise than the cluster's DNS; keep a retention longer than the TTLs, and see docs/cluster-dns.md for " +
			"--cluster-dns", false})
	}
	return notices
}

// dnsRemarkOf returns what the status of a policy says of the cluster's DNS; empty when all is as it should be.
func dnsRemarkOf(f clusterdns.Facts, service string) string {
	var remarks []string
	for _, n := range dnsNotices(f, service) {
		if n.status {
			remarks = append(remarks, n.text)
		}
	}
	return strings.Join(remarks, "; ")
}

func joined(addrs []netip.Addr) string {
	texts := make([]string, len(addrs))
	for i, a := range addrs {
		texts[i] = a.String()
	}
	return strings.Join(texts, " and ")
}

// reportedNotices remembers what was logged, so that each notice is logged when it begins and when it ends.
type reportedNotices struct {
	mu   sync.Mutex
	text map[string]string // by kind
}

func (r *reportedNotices) log(log logr.Logger, notices []dnsNotice) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := map[string]string{}
	for _, n := range notices {
		now[n.kind] = n.text
		if r.text[n.kind] != n.text {
			log.Info("Cluster DNS: "+n.text, "notice", n.kind)
		}
	}
	for kind := range r.text {
		if now[kind] == "" {
			log.Info("Cluster DNS: what was noticed is over", "notice", kind)
		}
	}
	r.text = now
}
