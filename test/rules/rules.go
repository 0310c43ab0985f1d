// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package rules watches generated NetworkPolicies and tells when each of them came to hold addresses, for measurements and
// tests of how fast the controller is. The time of a change is when the watch brought it here.
package rules

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Peer is a block that a NetworkPolicy opens, with its ports: "443 192.0.2.1/32".
type Peer string

// Peers returns the peers by which addresses are allowed on a port.
func Peers(port int, addrs ...string) []Peer {
	peers := make([]Peer, len(addrs))
	for i, s := range addrs {
		addr := netip.MustParseAddr(s)
		peers[i] = Peer(fmt.Sprintf("%d %s", port, netip.PrefixFrom(addr, addr.BitLen())))
	}
	return peers
}

// peersIn returns what a NetworkPolicy opens, as a set.
func peersIn(np *networkingv1.NetworkPolicy) map[Peer]bool {
	peers := map[Peer]bool{}
	for _, rule := range np.Spec.Egress {
		var ports []string
		for _, p := range rule.Ports {
			ports = append(ports, p.Port.String())
		}
		for _, to := range rule.To {
			if to.IPBlock != nil {
				peers[Peer(strings.Join(ports, ",")+" "+to.IPBlock.CIDR)] = true
			}
		}
	}
	return peers
}

// Watch follows NetworkPolicies from the start, before there is any, until Stop. Its methods are safe for concurrent use.
type Watch struct {
	watch func(resourceVersion string) (watch.Interface, error)
	stop  context.CancelFunc
	done  chan struct{} // closed when nothing is watched any more

	mu       sync.Mutex
	seen     string // the resourceVersion up to which the watch came
	peers    map[types.NamespacedName]map[Peer]bool
	versions map[types.NamespacedName]int
	lost     []string // peers that were there and went, and NetworkPolicies that did
	pending  map[*Expectation]bool
	added    func(np types.NamespacedName, p Peer, at time.Time) // nil: nobody wants to know
	err      error
}

// Start watches those NetworkPolicies that the options select, of which there must be none yet.
func Start(ctx context.Context, c client.WithWatch, options ...client.ListOption) (*Watch, error) {
	list := &networkingv1.NetworkPolicyList{}
	if err := c.List(ctx, list, options...); err != nil {
		return nil, err
	}
	if len(list.Items) > 0 {
		return nil, fmt.Errorf("there are %d NetworkPolicies already, %s among them", len(list.Items), client.ObjectKeyFromObject(&list.Items[0]))
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &Watch{
		watch: func(resourceVersion string) (watch.Interface, error) {
			from := &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: resourceVersion, AllowWatchBookmarks: true}}
			return c.Watch(ctx, &networkingv1.NetworkPolicyList{}, slices.Concat(options, []client.ListOption{from})...)
		},
		stop: cancel, done: make(chan struct{}), pending: map[*Expectation]bool{}, seen: list.ResourceVersion,
		peers: map[types.NamespacedName]map[Peer]bool{}, versions: map[types.NamespacedName]int{},
	}
	watcher, err := w.watch(list.ResourceVersion)
	if err != nil {
		cancel()
		return nil, err
	}
	go w.follow(ctx, watcher)
	return w, nil
}

// Stop ends the watch and waits for it.
func (w *Watch) Stop() {
	w.stop()
	<-w.done
}

// OnAdded calls f for each peer that a NetworkPolicy gets from now on, by one goroutine; nil: no longer.
func (w *Watch) OnAdded(f func(np types.NamespacedName, p Peer, at time.Time)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.added = f
}

// Versions returns how many versions of each NetworkPolicy there have been, those that are gone included.
func (w *Watch) Versions() map[types.NamespacedName]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.versions)
}

// Losses returns what went since the start, and an error if the watch missed anything.
func (w *Watch) Losses() ([]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.lost...), w.err
}

// follow goes on where a watch ended: an API server ends those of clients that read more slowly than others write.
func (w *Watch) follow(ctx context.Context, watcher watch.Interface) {
	defer close(w.done)
	for {
		ended := context.AfterFunc(ctx, watcher.Stop)
		for event := range watcher.ResultChan() {
			if ctx.Err() == nil { // a client that stops reads the end of its own connection, and calls that an error
				w.take(event, time.Now())
			}
		}
		if ended() {
			watcher.Stop()
		}
		if ctx.Err() != nil || w.failed() {
			return
		}
		var err error
		if watcher, err = w.watch(w.seen); err != nil {
			w.fail(fmt.Errorf("watching NetworkPolicies: %w", err))
			return
		}
	}
}

func (w *Watch) failed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err != nil
}

func (w *Watch) take(event watch.Event, now time.Time) {
	np, ok := event.Object.(*networkingv1.NetworkPolicy)
	if !ok {
		w.fail(fmt.Errorf("watching NetworkPolicies: %w", apierrors.FromObject(event.Object)))
		return
	}
	key, peers := client.ObjectKeyFromObject(np), peersIn(np)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = np.ResourceVersion
	if event.Type == watch.Bookmark {
		return
	}
	w.versions[key]++
	if event.Type == watch.Deleted {
		w.lost = append(w.lost, key.String())
		delete(w.peers, key)
		return
	}
	before := w.peers[key]
	for p := range before {
		if !peers[p] {
			w.lost = append(w.lost, fmt.Sprintf("%s of %s", p, key))
		}
	}
	w.peers[key] = peers
	for e := range w.pending {
		e.look(key, peers, now)
	}
	if w.added == nil {
		return
	}
	for p := range peers {
		if !before[p] {
			w.added(key, p, now)
		}
	}
}

func (w *Watch) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
}
