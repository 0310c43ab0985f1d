// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"sync/atomic"

	"k8s.io/client-go/util/workqueue"

	"github.com/fqdn-egress/fqdn-egress/controllers/status"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

// statusQueue is the work queue of statuses, as those who wake statuses see it: its controller makes it only when it starts, and
// before that there is nothing to tell. It is safe for concurrent use.
type statusQueue struct {
	reconciler *status.Reconciler
	queue      atomic.Pointer[workqueue.TypedRateLimitingInterface[addressbook.Owner]]
}

// start takes the queue that the controller made.
func (s *statusQueue) start(queue workqueue.TypedRateLimitingInterface[addressbook.Owner]) {
	s.queue.Store(&queue)
}

func (s *statusQueue) add(o addressbook.Owner) {
	if queue := s.queue.Load(); queue != nil {
		(*queue).Add(o)
	}
}

// rulesRanDry wakes the statuses that let rules go first.
func (s *statusQueue) rulesRanDry() {
	for _, o := range s.reconciler.RulesRanDry() {
		s.add(o)
	}
}
