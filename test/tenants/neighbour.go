// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package tenants

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
	"github.com/fqdn-egress/fqdn-egress/test/pause"
	"github.com/fqdn-egress/fqdn-egress/test/rules"
)

const (
	// movesTTL is the TTL of the name whose address moves.
	movesTTL = time.Second
	// newNames is how many names a new policy lists.
	newNames = 5

	typeA, servfail = 1, 2
)

// Neighbour is a tenant that asks for little: it has one policy of a name whose address moves, and makes new ones. Its methods
// are called by one goroutine.
type Neighbour struct {
	Namespace string

	client  client.Client
	dns     *dnstest.Server
	watch   *rules.Watch
	moves   int // so often the address moved
	created int // so many policies
}

// NewNeighbour returns one whose policy is in force; it is stopped after use. The server is one that acts like a cache.
func NewNeighbour(ctx context.Context, c client.WithWatch, dns *dnstest.Server, limit time.Duration) (_ *Neighbour, err error) {
	n := &Neighbour{client: c, dns: dns}
	if n.Namespace, err = newNamespace(ctx, c, "neighbour"); err != nil {
		return nil, err
	}
	if n.watch, err = rules.Start(ctx, c, client.InNamespace(n.Namespace)); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Stop())
		}
	}()
	dns.Set(n.host("moves"), dnstest.TTL(movesTTL), n.address())
	wait := n.expect("moves", n.address())
	if err := c.Create(ctx, Policy(n.Namespace, "moves", n.host("moves"))); err != nil {
		return nil, err
	}
	_, err = wait(ctx, limit)
	return n, err
}

// Stop deletes what it made.
func (n *Neighbour) Stop() error {
	n.watch.Stop()
	return empty(n.client, n.Namespace)
}

func (n *Neighbour) host(name string) string { return name + "." + n.Namespace + ".example" }

// address is where the name that moves is.
func (n *Neighbour) address() string { return fmt.Sprintf("203.0.113.%d", n.moves%250+1) }

// expect begins to wait until the NetworkPolicy of a policy holds addresses; wait returns when it did.
func (n *Neighbour) expect(policy string, addrs ...string) (wait func(context.Context, time.Duration) (time.Time, error)) {
	key := types.NamespacedName{Namespace: n.Namespace, Name: policy + "-fqdn"}
	e := n.watch.Expect(map[types.NamespacedName][]rules.Peer{key: rules.Peers(Port, addrs...)})
	return func(ctx context.Context, limit time.Duration) (time.Time, error) {
		at, err := e.Await(ctx, limit)
		if err != nil {
			return time.Time{}, fmt.Errorf("policy %s of the neighbour: %w", policy, err)
		}
		return at[0], nil
	}
}

// Followed moves the address and returns how long after the end of the old answer the new one was allowed: from then on a pod
// can be told the new address.
func (n *Neighbour) Followed(ctx context.Context, limit time.Duration) (time.Duration, error) {
	// An answer that ends only in a while, so that it cannot end while it is read.
	for time.Until(n.dns.CachedUntil(n.host("moves"), typeA)) < movesTTL/4 {
		if err := pause.For(ctx, 5*time.Millisecond); err != nil {
			return 0, err
		}
	}
	ends := n.dns.CachedUntil(n.host("moves"), typeA)
	n.moves++
	n.dns.Set(n.host("moves"), dnstest.TTL(movesTTL), n.address())
	at, err := n.expect("moves", n.address())(ctx, time.Until(ends)+limit)
	return at.Sub(ends), err
}

// Completed creates a policy and returns how long after the API server had created it all addresses of its names were allowed.
func (n *Neighbour) Completed(ctx context.Context, limit time.Duration) (time.Duration, error) {
	n.created++
	policy := fmt.Sprintf("new-%03d", n.created)
	var hosts, addrs []string
	for i := range newNames {
		host, addr := n.host(fmt.Sprintf("%s-%d", policy, i)), fmt.Sprintf("198.18.%d.%d", n.created%250, i+1)
		n.dns.Set(host, dnstest.TTL(time.Minute), addr)
		hosts, addrs = append(hosts, host), append(addrs, addr)
	}
	wait := n.expect(policy, addrs...)
	if err := n.client.Create(ctx, Policy(n.Namespace, policy, hosts...)); err != nil {
		return 0, err
	}
	created := time.Now()
	at, err := wait(ctx, limit)
	return max(at.Sub(created), 0), err
}

// Healed creates a policy of a name that fails, heals it after a while, and returns how long after that its address was allowed.
// A wait that is longer than limit counts as that.
func (n *Neighbour) Healed(ctx context.Context, after, limit time.Duration) (time.Duration, error) {
	n.created++
	policy := fmt.Sprintf("heals-%03d", n.created)
	host, addr := n.host(policy), fmt.Sprintf("198.18.%d.100", n.created%250)
	n.dns.Set(host, dnstest.TTL(time.Minute), addr)
	n.dns.Break(host, dnstest.Rcode(servfail))
	wait := n.expect(policy, addr)
	if err := n.client.Create(ctx, Policy(n.Namespace, policy, host)); err != nil {
		return 0, err
	}
	if err := pause.For(ctx, after); err != nil {
		return 0, err
	}
	n.dns.Heal(host)
	healed := time.Now()
	return atMost(ctx, limit, func(ctx context.Context, limit time.Duration) (time.Duration, error) {
		at, err := wait(ctx, limit)
		return max(at.Sub(healed), 0), err
	})
}

// Waits are how long a neighbour waited, one entry each time, sorted.
type Waits struct{ Followed, Completed []time.Duration }

// Look measures so many moves, and a new policy beside each. A wait that is longer than limit counts as that.
func (n *Neighbour) Look(ctx context.Context, times int, limit time.Duration) (Waits, error) {
	var w Waits
	for range times {
		completed, err := atMost(ctx, limit, n.Completed)
		if err != nil {
			return w, err
		}
		followed, err := atMost(ctx, limit, n.Followed)
		if err != nil {
			return w, err
		}
		w.Completed, w.Followed = append(w.Completed, completed), append(w.Followed, followed)
	}
	slices.Sort(w.Completed)
	slices.Sort(w.Followed)
	return w, nil
}

func atMost(ctx context.Context, limit time.Duration, measure func(context.Context, time.Duration) (time.Duration, error)) (time.Duration, error) {
	d, err := measure(ctx, limit)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return limit, nil
	}
	return d, err
}
