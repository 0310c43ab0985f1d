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
	"k8s.io/utils/clock"
)

// defaultSyncTimeout is the time within which the first state must have been read. It spans a restart of the API server.
const defaultSyncTimeout = 2 * time.Minute

// Follower follows the DNS Service; it runs on standbys too. Safe for concurrent use.
//
// It needs list and watch on services and endpointslices in the namespace of the Service, and nothing outside of it.
type Follower struct {
	client      kubernetes.Interface
	service     types.NamespacedName
	options     Options
	syncTimeout time.Duration
	synced      chan struct{} // closed when the first state was published
	syncedOnce  sync.Once

	mu       sync.RWMutex
	onChange []func() // only appended to
	known    known
	changed  chan struct{} // closed and replaced when the upstreams change
}

// Options is what is known of the cluster's DNS without the API server.
type Options struct {
	// PodServers are the name servers that the kubelet tells pods to ask: those of the controller's own resolv.conf, if that
	// was written for dnsPolicy ClusterFirst. Nil: not known.
	PodServers []netip.Addr
	// Extra are further addresses of the cluster's DNS, which pods are let through to anyway: --cluster-dns.
	Extra []netip.Addr
	// Clock is the real one by default.
	Clock clock.Clock
}

// standIns are the servers to ask while the Service has no endpoint.
func (o Options) standIns() []netip.Addr {
	servers := o.PodServers
	if len(servers) == 0 {
		servers = o.Extra
	}
	return sortedSet(slices.Clone(servers), netip.Addr.Compare)
}

// New returns a Follower for one Service. It does nothing before Start. An error means that cfg or the name is unusable;
// that the Service is not there is none.
func New(cfg *rest.Config, service types.NamespacedName, options Options) (*Follower, error) {
	if service.Namespace == "" || service.Name == "" {
		return nil, fmt.Errorf("cluster DNS Service %q: want namespace/name", service)
	}
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("creating client for cluster DNS: %w", err)
	}
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	return &Follower{
		client:      client,
		service:     service,
		options:     options,
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
	f.follow(ctx, w)
	return nil
}

// follow publishes what is known whenever an object changes, and when time alone changes what is known.
func (f *Follower) follow(ctx context.Context, w *watch) {
	for {
		now := f.options.Clock.Now()
		due := f.refresh(w.objects(), now)
		var expired <-chan time.Time
		stop := func() {}
		if !due.IsZero() {
			timer := f.options.Clock.NewTimer(due.Sub(now))
			expired, stop = timer.C(), func() { timer.Stop() }
		}
		select {
		case <-ctx.Done():
		case <-w.wake:
		case <-expired:
		}
		stop()
		if ctx.Err() != nil {
			return
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
	return f.known.facts
}

// Upstreams returns whom to ask as address and UDP port, distinct and sorted, and a channel that is closed when that set
// changes: the ready endpoints, or while there are none whoever stands in (Facts.Asked). Empty before the first state was
// read, and while nobody stands in. The slice is shared: do not modify it.
func (f *Follower) Upstreams() ([]netip.AddrPort, <-chan struct{}) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.known.upstreams, f.changed
}

// refresh publishes what follows from o, and returns when time alone changes that. Only Start calls it, so that an older
// state never overwrites a newer one.
func (f *Follower) refresh(o objects, now time.Time) (due time.Time) {
	next := f.known.next(o, f.options, now) // nobody else writes known, so it can be read without the lock
	toCall := f.publish(next)
	f.syncedOnce.Do(func() { close(f.synced) })
	for _, changed := range toCall {
		changed()
	}
	return next.due
}

// publish returns whom to tell: nobody if the facts are the same.
func (f *Follower) publish(next known) []func() {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.known
	f.known = next
	if !slices.Equal(before.upstreams, next.upstreams) {
		close(f.changed)
		f.changed = make(chan struct{})
	}
	if before.facts.equal(next.facts) {
		return nil
	}
	return f.onChange
}
