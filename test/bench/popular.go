// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
	"github.com/fqdn-egress/fqdn-egress/test/pause"
)

// rotatesFor is how long a popular name rotates within what is known of it.
const rotatesFor = 30 * time.Second

// popular measures one name that very many policies list: it moves, and then it rotates between its addresses.
func (b *bench) popular(ctx context.Context) ([]figure, error) {
	w := workload{policies: b.options.popular, perPolicy: 1, names: 1, namespaces: scaleNamespaces, shared: true, ttl: dnstest.TTL(changeTTL)}
	var figures []figure
	var moved time.Duration
	written := &networkingv1.NetworkPolicyList{}
	err := b.during(ctx, w, func(t *trial) error {
		if err := t.createAll(ctx); err != nil {
			return err
		}
		if err := t.settle(ctx); err != nil {
			return err
		}
		m, err := t.move(ctx, 1, true)
		if err != nil {
			return err
		}
		moved = m.max()
		figures = append(figures,
			seconds("moves: lag, p50", m.p50(), "end of the cached TTL -> half of the policies"),
			seconds("moves: lag, max", m.max(), "end of the cached TTL -> all policies"),
			count("moves: API writes", m.writes.total(), m.writes.String()).atMost(float64(2*w.policies)))
		rotated, err := t.rotate(ctx)
		if err != nil {
			return err
		}
		figures = append(figures, rotated...)
		return b.client.List(ctx, written)
	})
	if err != nil {
		return nil, err
	}
	plain, err := b.plainUpdate(ctx, written.Items)
	if err != nil {
		return nil, err
	}
	return append([]figure{
		seconds("plain updates", plain, "a plain client with 16 workers, no controller: one peer more in each NetworkPolicy"),
		figure{Name: "moves: all written / plain updates", Value: moved.Seconds() / plain.Seconds(), Unit: "x", Span: "of the same run"}.atMost(1.2),
	}, figures...), nil
}

// rotate lets the shared name hand out one of its two IPv4 addresses in turn, which all policies have already.
func (t *trial) rotate(ctx context.Context) ([]figure, error) {
	known := []string{sharedAddresses(0, 0)[0], sharedAddresses(1, 0)[0]}
	t.dns.Pool(sharedName, t.workload.ttl, dnstest.RoundRobin(1), append(known, sharedAddresses(0, 0)[1])...)
	// The last answer from before ends, and what is learnt of a name that rotates is told in the statuses.
	if err := pause.For(ctx, 2*changeTTL); err != nil {
		return nil, err
	}
	if err := t.awaitQuiet(ctx); err != nil {
		return nil, err
	}
	begun, err := t.audit.now()
	if err != nil {
		return nil, err
	}
	before, err := t.reconciles(ctx)
	if err != nil {
		return nil, err
	}
	answers := t.dns.Count(sharedName)
	if err := pause.For(ctx, rotatesFor); err != nil {
		return nil, err
	}
	after, err := t.reconciles(ctx)
	if err != nil {
		return nil, err
	}
	w, err := t.audit.since(begun)
	if err != nil {
		return nil, err
	}
	span := fmt.Sprintf("%s, %d answers", rotatesFor, t.dns.Count(sharedName)-answers)
	return []figure{
		count("rotates within its known pool: reconciles", int(after-before), span).atMost(0),
		count("rotates within its known pool: API writes", w.total(), span+"; "+w.String()).atMost(0),
	}, nil
}

// reconciles is how often anything was reconciled since the start.
func (t *trial) reconciles(ctx context.Context) (float64, error) {
	return t.controller.Metric(ctx, "controller_runtime_reconcile_total")
}

// plainUpdate returns how long a plain client takes to add a peer to NetworkPolicies, which it creates
// first, in the namespace of the floor, and deletes at last. Their names differ, whatever their namespaces.
func (b *bench) plainUpdate(ctx context.Context, networkPolicies []networkingv1.NetworkPolicy) (time.Duration, error) {
	w := &plainWriter{client: b.client, sample: &sample{networkPolicies: networkPolicies}}
	w.networkPolicies = make([]networkingv1.NetworkPolicy, len(networkPolicies))
	if err := parallel(ctx, len(networkPolicies), w.create); err != nil {
		return 0, err
	}
	start := time.Now()
	if err := parallel(ctx, len(networkPolicies), w.update); err != nil {
		return 0, err
	}
	took := time.Since(start)
	return took, b.clear(ctx, floorNamespace)
}
