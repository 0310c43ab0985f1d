// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"context"
	"net/netip"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/fqdn-egress/fqdn-egress/internal/dnsclient"
)

// UpstreamSource says which upstreams there are now, and gives a channel that is closed when that changes; nil: it
// never does. It must be safe for concurrent use. A source that needs a goroutine also has a method
// Start(context.Context) error, which the Resolver runs until it ends.
type UpstreamSource interface {
	Upstreams() ([]Listed, <-chan struct{})
}

type starter interface {
	Start(ctx context.Context) error
}

type static []Listed

// Static is a source that never changes.
func Static(us ...dnsclient.Upstream) UpstreamSource {
	s := make(static, len(us))
	for i, u := range us {
		s[i].Upstream = u
	}
	return s
}

func (s static) Upstreams() ([]Listed, <-chan struct{}) { return slices.Clone(s), nil }

type cluster func() ([]netip.AddrPort, <-chan struct{})

// Cluster is the source of the cluster DNS' endpoints, which are asked over UDP. The function has the contract of
// UpstreamSource; it is called by the Resolver only.
func Cluster(endpoints func() ([]netip.AddrPort, <-chan struct{})) UpstreamSource {
	return cluster(endpoints)
}

func (c cluster) Upstreams() ([]Listed, <-chan struct{}) {
	addrs, changed := c()
	us := make([]Listed, len(addrs))
	for i, addr := range addrs {
		us[i] = Listed{Upstream: dnsclient.UDP(addr), Cluster: true}
	}
	return us, changed
}

// merged is the union of its sources.
type merged struct {
	sources []UpstreamSource

	mu      sync.Mutex
	changed chan struct{}
}

// Merge is the union of sources, each upstream once.
func Merge(sources ...UpstreamSource) UpstreamSource {
	return &merged{sources: sources, changed: make(chan struct{})}
}

func (m *merged) Upstreams() ([]Listed, <-chan struct{}) {
	m.mu.Lock()
	changed := m.changed // before the sources are read, so that no change falls between
	m.mu.Unlock()
	var us []Listed
	for _, source := range m.sources {
		more, _ := source.Upstreams()
		us = append(us, more...)
	}
	return distinct(us), changed
}

// Start passes on the changes of the sources, and runs those that need it.
func (m *merged) Start(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, source := range m.sources {
		if s, ok := source.(starter); ok {
			group.Go(func() error { return s.Start(ctx) })
		}
		group.Go(func() error { m.watch(ctx, source); return nil })
	}
	return group.Wait()
}

// watch signals once more than needed when it starts: a change before it had the channel would be lost otherwise.
func (m *merged) watch(ctx context.Context, source UpstreamSource) {
	for {
		_, changed := source.Upstreams()
		m.signal()
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

func (m *merged) signal() {
	m.mu.Lock()
	defer m.mu.Unlock()
	close(m.changed)
	m.changed = make(chan struct{})
}
