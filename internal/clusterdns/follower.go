// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package clusterdns

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// defaultSyncTimeout is the time within which the first state must have been read. It spans a restart of the API server.
const defaultSyncTimeout = 2 * time.Minute

// Follower follows the DNS Service; it runs on standbys too. Safe for concurrent use.
//
// It needs list and watch on services and endpointslices in the namespace of the Service, and nothing outside of it.
type Follower struct {
	client      kubernetes.Interface
	service     types.NamespacedName
	syncTimeout time.Duration
	synced      chan struct{} // closed when the first state was published
	syncedOnce  sync.Once

	mu        sync.RWMutex
	onChange  []func() // only appended to
	facts     Facts
	upstreams []netip.AddrPort
	changed   chan struct{} // closed and replaced when upstreams changes
}

// New returns a Follower for one Service. It does nothing before Start. An error means that cfg or the name is unusable;
// that the Service is not there is none.
func New(cfg *rest.Config, service types.NamespacedName) (*Follower, error) {
	if service.Namespace == "" || service.Name == "" {
		return nil, fmt.Errorf("cluster DNS Service %q: want namespace/name", service)
	}
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("creating client for cluster DNS: %w", err)
	}
	return &Follower{
		client:      client,
		service:     service,
		syncTimeout: defaultSyncTimeout,
		synced:      make(chan struct{}),
		changed:     make(chan struct{}),
	}, nil
}

// OnChange adds a function that is called, without a lock held, after Facts changed; one that is added while the Follower
// runs hears of later changes. Calls come one at a time, from the goroutine of Start; it must not block.
func (f *Follower) OnChange(changed func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.onChange = append(f.onChange, changed)
}

// Start follows until ctx ends and returns nil then; all its goroutines have ended when it returns. It returns an error at
// once when a permission is missing, and after two minutes when the first state could not be read. Call it once.
func (f *Follower) Start(ctx context.Context) error {
	if err := f.run(ctx); err != nil && ctx.Err() == nil {
		return fmt.Errorf("following cluster DNS Service %s: %w", f.service, err)
	}
	return nil
}

func (f *Follower) run(ctx context.Context) error {
	w, err := newWatch(f.client, f.service)
	if err != nil {
		return err
	}
	syncCtx, cancel := context.WithTimeoutCause(ctx, f.syncTimeout, fmt.Errorf("caches not synced within %s", f.syncTimeout))
	defer cancel()
	if err := checkAccess(syncCtx, f.client, f.service); apierrors.IsForbidden(err) {
		return err
	} else if err != nil {
		w.remember(err) // the informers try again
	}
	stop := w.start(ctx)
	defer stop()
	if err := w.waitForSync(syncCtx); err != nil {
		return err
	}
	f.refresh(w.objects())
	f.follow(ctx, w)
	return nil
}

func (f *Follower) follow(ctx context.Context, w *watch) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
			f.refresh(w.objects())
		}
	}
}

// NeedLeaderElection tells the manager to run the Follower on standbys too.
func (f *Follower) NeedLeaderElection() bool { return false }

// WaitForSync blocks until the first state was read; false when ctx ended before.
func (f *Follower) WaitForSync(ctx context.Context) bool {
	select {
	case <-f.synced:
		return true
	case <-ctx.Done():
		return false
	}
}

// Facts returns what is known now: the zero value before the first state was read.
func (f *Follower) Facts() Facts {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.facts
}

// Upstreams returns the ready endpoints as address and UDP port, distinct and sorted, and a channel that is closed when that
// set changes. Empty before the first state was read, and while no endpoint is ready. The slice is shared: do not modify it.
func (f *Follower) Upstreams() ([]netip.AddrPort, <-chan struct{}) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.upstreams, f.changed
}

// refresh publishes what follows from o. Only Start calls it, so that an older state never overwrites a newer one.
func (f *Follower) refresh(o objects) {
	facts, upstreams := read(o, f.Facts())
	toCall := f.publish(facts, upstreams)
	f.syncedOnce.Do(func() { close(f.synced) })
	for _, changed := range toCall {
		changed()
	}
}

// publish returns whom to tell: nobody if the facts are the same.
func (f *Follower) publish(facts Facts, upstreams []netip.AddrPort) []func() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Equal(f.upstreams, upstreams) {
		f.upstreams = upstreams
		close(f.changed)
		f.changed = make(chan struct{})
	}
	if f.facts.equal(facts) {
		return nil
	}
	f.facts = facts
	return f.onChange
}
