// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

// sample is what the controller wrote in a rehearsal that is not measured: the floor writes the same. The rehearsal also
// warms the API server up.
type sample struct {
	policies        []v1alpha1.FQDNEgressPolicy // with their status
	networkPolicies []networkingv1.NetworkPolicy
}

func (b *bench) rehearse(ctx context.Context) error {
	if b.sample != nil {
		return nil
	}
	b.say("rehearsing")
	return b.during(ctx, b.ordinary(longTTL), func(t *trial) error {
		if err := errors.Join(t.createAll(ctx), t.settle(ctx)); err != nil {
			return err
		}
		policies, networkPolicies := &v1alpha1.FQDNEgressPolicyList{}, &networkingv1.NetworkPolicyList{}
		for _, list := range []client.ObjectList{policies, networkPolicies} {
			if err := b.client.List(ctx, list); err != nil {
				return err
			}
		}
		if len(policies.Items) != len(networkPolicies.Items) {
			return fmt.Errorf("%d policies made %d NetworkPolicies", len(policies.Items), len(networkPolicies.Items))
		}
		b.sample = &sample{policies: policies.Items, networkPolicies: networkPolicies.Items}
		return nil
	})
}

// longTTL is beyond the end of any scenario.
const longTTL = dnstest.TTL(5 * time.Minute)

// ordinary is what all scenarios but memory have, with one more name in change.
func (b *bench) ordinary(ttl dnstest.TTL) workload {
	o := b.options
	return workload{policies: o.policies, perPolicy: o.namesPerPolicy, names: o.names, ttl: ttl}
}

// floor holds the times that the API server took for all writes of the sample, from a plain client with 16 workers and
// no client-side rate limit, while no controller runs.
type floor struct {
	create     []time.Duration // a NetworkPolicy each
	createBoth []time.Duration // a NetworkPolicy and a status each, one after the other
	update     []time.Duration // one peer more in each NetworkPolicy
	updateBoth []time.Duration // and one address more in each status
}

// betweenFloors runs a measurement between two of the floor: the machine may be busier at one end than at the other.
func (b *bench) betweenFloors(ctx context.Context, do func() error) (*floor, error) {
	f := &floor{}
	if err := b.rehearse(ctx); err != nil {
		return nil, err
	}
	if err := b.measureFloor(ctx, f); err != nil {
		return nil, err
	}
	if err := do(); err != nil {
		return nil, err
	}
	return f, b.measureFloor(ctx, f)
}

func (b *bench) measureFloor(ctx context.Context, f *floor) error {
	for range b.options.floorRuns {
		b.say("floor")
		if err := errors.Join(b.floorOnce(ctx, f), b.clear(ctx, floorNamespace)); err != nil {
			return fmt.Errorf("floor: %w", err)
		}
	}
	return nil
}

func (b *bench) floorOnce(ctx context.Context, f *floor) error {
	w := &plainWriter{client: b.client, sample: b.sample}
	n := len(b.sample.policies)
	w.policies, w.networkPolicies = make([]v1alpha1.FQDNEgressPolicy, n), make([]networkingv1.NetworkPolicy, n)
	if err := parallel(ctx, n, w.createPolicy); err != nil {
		return err
	}
	pass := func(times *[]time.Duration, write ...func(context.Context, int) error) error {
		start := time.Now()
		err := parallel(ctx, n, func(ctx context.Context, i int) error {
			for _, one := range write {
				if err := one(ctx, i); err != nil {
					return err
				}
			}
			return nil
		})
		*times = append(*times, time.Since(start))
		return err
	}
	if err := pass(&f.create, w.create); err != nil {
		return err
	}
	if err := b.client.DeleteAllOf(ctx, &networkingv1.NetworkPolicy{}, client.InNamespace(floorNamespace)); err != nil {
		return err
	}
	if err := pass(&f.createBoth, w.create, w.patchStatus); err != nil {
		return err
	}
	if err := pass(&f.update, w.update); err != nil {
		return err
	}
	return pass(&f.updateBoth, w.update, w.patchStatusAgain)
}

// plainWriter writes the sample into the namespace of the floor. Each i is written by one goroutine at a time.
type plainWriter struct {
	client          client.Client
	sample          *sample
	policies        []v1alpha1.FQDNEgressPolicy
	networkPolicies []networkingv1.NetworkPolicy
}

func (w *plainWriter) createPolicy(ctx context.Context, i int) error {
	from := &w.sample.policies[i]
	w.policies[i] = v1alpha1.FQDNEgressPolicy{ObjectMeta: inFloor(from), Spec: *from.Spec.DeepCopy()}
	return w.client.Create(ctx, &w.policies[i])
}

func (w *plainWriter) create(ctx context.Context, i int) error {
	from := &w.sample.networkPolicies[i]
	w.networkPolicies[i] = networkingv1.NetworkPolicy{ObjectMeta: inFloor(from), Spec: *from.Spec.DeepCopy()}
	return w.client.Create(ctx, &w.networkPolicies[i])
}

func (w *plainWriter) update(ctx context.Context, i int) error {
	np := &w.networkPolicies[i]
	rule := &np.Spec.Egress[len(np.Spec.Egress)-1]
	block := &networkingv1.IPBlock{CIDR: fmt.Sprintf("203.0.113.%d/32", len(rule.To))}
	rule.To = append(rule.To, networkingv1.NetworkPolicyPeer{IPBlock: block})
	return w.client.Update(ctx, np)
}

func (w *plainWriter) patchStatus(ctx context.Context, i int) error {
	before := w.policies[i].DeepCopy()
	w.policies[i].Status = *w.sample.policies[i].Status.DeepCopy()
	return w.client.Status().Patch(ctx, &w.policies[i], client.MergeFrom(before))
}

func (w *plainWriter) patchStatusAgain(ctx context.Context, i int) error {
	before := w.policies[i].DeepCopy()
	status := &w.policies[i].Status
	status.AddressCount++
	status.FQDNs[0].AddressCount++
	status.FQDNs[0].Addresses = append(status.FQDNs[0].Addresses, "203.0.113.1")
	return w.client.Status().Patch(ctx, &w.policies[i], client.MergeFrom(before))
}

// inFloor returns the metadata by which an object of the sample is created in the namespace of the floor.
func inFloor(o client.Object) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: floorNamespace, Name: o.GetName(), Labels: o.GetLabels(), OwnerReferences: o.GetOwnerReferences(),
	}
}

// figures are the medians, and the extremes of all times of the floor beside them.
func (f *floor) figures() []figure {
	var figures []figure
	for _, row := range []struct {
		name  string
		times []time.Duration
	}{
		{"floor: create NetworkPolicies", f.create},
		{"floor: create NetworkPolicies, patch statuses", f.createBoth},
		{"floor: update NetworkPolicies", f.update},
		{"floor: update NetworkPolicies, patch statuses", f.updateBoth},
	} {
		figures = append(figures, seconds(row.name, median(row.times), fmt.Sprintf(
			"median of %d runs before and after, %.2f to %.2f s; first request to last answer of 16 workers",
			len(row.times), slices.Min(row.times).Seconds(), slices.Max(row.times).Seconds())))
	}
	return figures
}

func median(of []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(of))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
