// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/fqdn-egress/fqdn-egress/controllers/target"
)

const (
	pulseInterval = target.FenceInterval
	// pulseLimit is LeaseDuration (15s) less RenewDeadline (10s): a leader that was stopped for less than that still has
	// its lease, however late its last renewal was.
	pulseLimit = 5 * time.Second
)

// Pulse notices that the process of a leader was stopped (a frozen machine, SIGSTOP) for so long that another may lead by
// now. Its watches catch up before it learns that, and then its old book would undo what the other wrote; so
// nothing is written any more, and the process ends. It is the target.Fence of a process that leads, and safe for concurrent use.
type Pulse struct {
	Clock clock.WithTicker

	mu   sync.Mutex
	last time.Time // zero before Start
}

// Start beats until ctx ends, and returns an error after a stop that was too long.
func (p *Pulse) Start(ctx context.Context) error {
	p.beat(p.Clock.Now())
	ticker := p.Clock.NewTicker(pulseInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
			if !p.beat(p.Clock.Now()) {
				return fmt.Errorf("the process was stopped for more than %s, and another may be the leader now", pulseLimit)
			}
		}
	}
}

// NeedLeaderElection tells the manager to start the Pulse with the leadership.
func (p *Pulse) NeedLeaderElection() bool { return true }

// beat takes note of a sign of life, unless it comes too late: then no later one counts either.
func (p *Pulse) beat(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.isSteady(now) {
		return false
	}
	p.last = now
	return true
}

// Steady tells whether the process may still believe that it leads; a nil Pulse always does.
func (p *Pulse) Steady(now time.Time) bool {
	if p == nil {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.isSteady(now)
}

func (p *Pulse) isSteady(now time.Time) bool { return p.last.IsZero() || now.Sub(p.last) < pulseLimit }
