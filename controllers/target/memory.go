// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// memory holds what a process remembers of one target between reconciles, one type a subject. Nothing in it must survive
// the process: the NetworkPolicies are the persisted state. The queue gives a key to one worker at a time, so it has no lock.
type memory struct {
	uid      types.UID
	wants    int64 // generation of the spec whose names the book was told; 0: none
	servedAt time.Time
	carried  carried
	written  written
	pace     targetPace
	contest  contest
	looked   looked
	health   health
}

// memories holds the memory of every target. The zero value is ready; it is safe for concurrent use.
type memories struct {
	mu    sync.Mutex
	byKey map[Key]*memory
}

// of returns the memory of a target, and makes it at first sight. That of a policy that was deleted and created again under
// the same name is another one.
func (m *memories) of(key Key, uid types.UID) *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := m.byKey[key]; known != nil && known.uid == uid {
		return known
	}
	if m.byKey == nil {
		m.byKey = map[Key]*memory{}
	}
	fresh := &memory{uid: uid}
	m.byKey[key] = fresh
	return fresh
}

// forget drops the memory of a target, and returns it; nil if there was none.
func (m *memories) forget(key Key) *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.byKey[key]
	delete(m.byKey, key)
	return known
}
