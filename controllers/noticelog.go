// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"sync"

	"github.com/go-logr/logr"

	"github.com/fqdn-egress/fqdn-egress/internal/clusterdns"
)

// noticeLog logs what a person must know of the cluster's DNS, when it begins, becomes something else, and ends.
type noticeLog struct {
	dns     ClusterDNS
	service string
	log     logr.Logger

	mu   sync.Mutex
	text map[clusterdns.NoticeKind]string // that was logged
}

// Start logs until ctx ends.
func (n *noticeLog) Start(ctx context.Context) error {
	n.dns.OnChange(func() { n.report(n.dns.Facts()) })
	if n.dns.WaitForSync(ctx) {
		n.report(n.dns.Facts())
	}
	<-ctx.Done()
	return nil
}

// NeedLeaderElection tells the manager to run it on standbys too.
func (n *noticeLog) NeedLeaderElection() bool { return false }

func (n *noticeLog) report(f clusterdns.Facts) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := map[clusterdns.NoticeKind]string{}
	for _, notice := range clusterdns.Notices(f, n.service) {
		now[notice.Kind] = notice.Text
		if n.text[notice.Kind] != notice.Text {
			n.log.Info("Cluster DNS: "+notice.Text, "notice", notice.Kind)
		}
	}
	for kind := range n.text {
		if now[kind] == "" {
			n.log.Info("Cluster DNS: what was noticed is over", "notice", kind)
		}
	}
	n.text = now
}
