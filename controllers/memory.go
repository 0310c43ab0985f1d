// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// memory is what a process remembers of one policy between reconciles. Nothing in it must survive the process: the
// NetworkPolicies are the persisted state. The queue gives a key to one worker at a time, so it has no lock.
type memory struct {
	uid        types.UID
	seen       bool                   // its NetworkPolicies were looked at, under this view
	view       addressbook.View       // who was asked for its names then
	carried    netpol.Carried         // what the NetworkPolicies carried then, less what is over
	generation int64                  // of the spec that this process tried to write last; 0: none
	written    map[string]fingerprint // what was sent last, by the name of the NetworkPolicy
	budget     *rate.Limiter          // of address writes
	contest    contest
	servedAt   time.Time // when there was a DNS server to ask, as far as was seen; zero: not yet
	statusAt   time.Time // when the status was written last, or first seen
	statusOwed bool      // a NetworkPolicy was written and the status that tells of it was not yet
}

// memories holds the memory of every policy. The zero value is ready; it is safe for concurrent use.
type memories struct {
	mu    sync.Mutex
	byKey map[types.NamespacedName]*memory
}

// of returns the memory of a policy, and makes it at first sight. A policy that was deleted and created again under the same name
// is another one.
func (m *memories) of(policy *v1alpha1.FQDNEgressPolicy, now time.Time) *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := types.NamespacedName{Namespace: policy.Namespace, Name: policy.Name}
	if known := m.byKey[key]; known != nil && known.uid == policy.UID {
		return known
	}
	fresh := &memory{
		uid:     policy.UID,
		written: map[string]fingerprint{},
		budget:  rate.NewLimiter(rate.Every(addressInterval), addressBurst),
	}
	if policy.Status.ObservedGeneration == policy.Generation {
		// A restart: what the status says came from the same spec, and answers that are seconds away will say it again.
		fresh.statusAt = now
	}
	if m.byKey == nil {
		m.byKey = map[types.NamespacedName]*memory{}
	}
	m.byKey[key] = fresh
	return fresh
}

// look takes over what the NetworkPolicies carry: at first sight, and when others begin to be asked for the policy's names.
// Neither has answered yet then, and what is written is all that is known to be needed.
func (m *memory) look(view addressbook.View, carried func() netpol.Carried) {
	if m.seen && m.view == view {
		return
	}
	m.seen, m.view, m.carried = true, view, carried()
}

func (m *memories) forget(key types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.byKey, key)
}
