// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// peer is a block that a NetworkPolicy opens, with its ports: "443 192.0.2.1/32".
type peer string

// peersOf returns the peers by which addresses are allowed on the policies' port.
func peersOf(addrs ...string) []peer {
	peers := make([]peer, len(addrs))
	for i, s := range addrs {
		addr := netip.MustParseAddr(s)
		peers[i] = peer(fmt.Sprintf("%d %s", port, netip.PrefixFrom(addr, addr.BitLen())))
	}
	return peers
}

// peersIn returns what a NetworkPolicy opens, as a set.
func peersIn(np *networkingv1.NetworkPolicy) map[peer]bool {
	peers := map[peer]bool{}
	for _, rule := range np.Spec.Egress {
		var ports []string
		for _, p := range rule.Ports {
			ports = append(ports, p.Port.String())
		}
		for _, to := range rule.To {
			if to.IPBlock != nil {
				peers[peer(strings.Join(ports, ",")+" "+to.IPBlock.CIDR)] = true
			}
		}
	}
	return peers
}

// tracker watches the NetworkPolicies of the controller. The time of a change is when the watch brought it here.
type tracker struct {
	watcher watch.Interface
	done    chan struct{}

	mu      sync.Mutex
	peers   map[string]map[peer]bool // by the name of the NetworkPolicy
	updates int
	lost    []string // peers that were there and went, and NetworkPolicies that did
	pending *expectation
	err     error
}

// expectation waits until NetworkPolicies hold certain peers.
type expectation struct {
	wants    map[string][]peer // of those that do not yet
	at       map[string]time.Time
	complete chan struct{} // closed when all do
}

// track begins with an empty namespace.
func (b *bench) track(ctx context.Context) (*tracker, error) {
	list := &networkingv1.NetworkPolicyList{}
	if err := b.client.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	if len(list.Items) > 0 {
		return nil, fmt.Errorf("namespace %s holds NetworkPolicies already", namespace)
	}
	watcher, err := b.client.Watch(ctx, list, client.InNamespace(namespace),
		&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.ResourceVersion}})
	if err != nil {
		return nil, err
	}
	t := &tracker{watcher: watcher, done: make(chan struct{}), peers: map[string]map[peer]bool{}}
	go t.follow()
	return t, nil
}

func (t *tracker) stop() {
	t.watcher.Stop()
	<-t.done
}

func (t *tracker) follow() {
	defer close(t.done)
	for event := range t.watcher.ResultChan() {
		t.take(event, time.Now())
	}
	t.fail(errors.New("the watch of NetworkPolicies ended"))
}

func (t *tracker) take(event watch.Event, now time.Time) {
	np, ok := event.Object.(*networkingv1.NetworkPolicy)
	if !ok {
		t.fail(fmt.Errorf("watching NetworkPolicies: %w", apierrors.FromObject(event.Object)))
		return
	}
	peers := peersIn(np)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.updates++
	if event.Type == watch.Deleted {
		t.lost = append(t.lost, np.Name)
		delete(t.peers, np.Name)
		return
	}
	for p := range t.peers[np.Name] {
		if !peers[p] {
			t.lost = append(t.lost, fmt.Sprintf("%s of %s", p, np.Name))
		}
	}
	t.peers[np.Name] = peers
	if t.pending != nil {
		t.pending.look(np.Name, peers, now)
	}
}

func (t *tracker) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.err = err
	}
}

// expect begins to wait for peers, by the name of the NetworkPolicy. What is there already counts as there now.
func (t *tracker) expect(wants map[string][]peer) *expectation {
	e := &expectation{wants: wants, at: make(map[string]time.Time, len(wants)), complete: make(chan struct{})}
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, peers := range t.peers {
		e.look(name, peers, now)
	}
	t.pending = e
	return e
}

func (e *expectation) look(name string, has map[peer]bool, now time.Time) {
	wants, waiting := e.wants[name]
	if !waiting || slices.ContainsFunc(wants, func(p peer) bool { return !has[p] }) {
		return
	}
	e.at[name] = now
	delete(e.wants, name)
	if len(e.wants) == 0 {
		close(e.complete)
	}
}

// await returns, sorted, when each of the NetworkPolicies became complete.
func (t *tracker) await(ctx context.Context, e *expectation, limit time.Duration) ([]time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case <-e.complete:
	case <-t.done:
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pending = nil
	if len(e.wants) > 0 {
		return nil, fmt.Errorf("%d NetworkPolicies are not complete after %s: %w", len(e.wants), limit, errors.Join(t.err, ctx.Err()))
	}
	at := make([]time.Time, 0, len(e.at))
	for _, when := range e.at {
		at = append(at, when)
	}
	slices.SortFunc(at, time.Time.Compare)
	return at, nil
}

// losses returns what went since the start, and an error if the watch missed anything.
func (t *tracker) losses() ([]string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.lost), t.err
}
