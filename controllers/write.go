// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"slices"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// apply writes the steps in their order and stops at the first failure: what comes later may take away what an earlier
// one was to add. For the same reason nothing is deleted after an answer that differs from what was sent.
func (r *PolicyReconciler) apply(
	ctx context.Context, in *observation, plan *netpol.Plan, now time.Time,
) (wrote bool, err error) {
	versions := map[string]string{} // of what this plan wrote: it may write one object twice
	for _, step := range plan.Steps {
		name := step.Object.Name
		if step.Verb == netpol.Delete && len(in.memory.contest.altered) > 0 {
			return wrote, nil
		}
		if version, ok := versions[name]; ok {
			step.Object.ResourceVersion = version
		}
		before, repair := in.find(name), in.memory.driftedFrom(in.live, name)
		answer, err := r.write(ctx, in, step)
		if err != nil {
			return wrote, err
		}
		wrote, versions[name] = true, answer.ResourceVersion
		if repair {
			in.memory.contest.repaired(name, now)
		}
		in.memory.contest.answered(name, differenceOf(step, answer), now)
		in.take(step.Verb, answer)
		r.trace(ctx, in, plan, step.Verb, before, answer)
	}
	return wrote, nil
}

// differenceOf says how the API server's answer to a step differs from what was sent; "" if it does not.
func differenceOf(step netpol.Step, answer *networkingv1.NetworkPolicy) string {
	if step.Verb == netpol.Delete {
		return ""
	}
	return netpol.Differs(step.Object, answer)
}

// write does one step and returns what the API server answered: what it has now, or what it deleted.
func (r *PolicyReconciler) write(ctx context.Context, in *observation, step netpol.Step) (*networkingv1.NetworkPolicy, error) {
	np, sent := step.Object.DeepCopy(), fingerprintOf(step.Object)
	if !r.Pulse.steady(r.Clock.Now()) {
		return nil, errStopped
	}
	if err := r.mayAdopt(ctx, in, step); err != nil {
		return nil, err
	}
	var err error
	switch step.Verb {
	case netpol.Create:
		err = r.Client.Create(ctx, np, client.FieldOwner(FieldManager))
	case netpol.Update:
		err = r.Client.Update(ctx, np, client.FieldOwner(FieldManager))
	case netpol.Delete:
		err = r.Client.Delete(ctx, np, client.Preconditions{UID: &np.UID, ResourceVersion: &np.ResourceVersion})
	}
	r.Metrics.wrote(resourceNetworkPolicies, string(step.Verb), err)
	switch {
	case apierrors.IsAlreadyExists(err):
		return nil, r.lookBehindCache(ctx, in, step.Object.Name)
	case err != nil && step.Verb == netpol.Delete:
		err = client.IgnoreNotFound(err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s NetworkPolicy %s: %w", gerund(step.Verb), step.Object.Name, err)
	}
	if step.Verb == netpol.Delete {
		delete(in.memory.written, step.Object.Name)
	} else {
		in.memory.written[step.Object.Name] = sent
	}
	return np, nil
}

// mayAdopt asks the API server for the policy before its owner reference is put on a NetworkPolicy that has none, as
// Kubernetes' own controllers do. A policy that is deleted with --cascade=orphan loses its objects first, and the cache may
// show that before it shows the deletion: the reference to a policy that is going would have the object collected.
func (r *PolicyReconciler) mayAdopt(ctx context.Context, in *observation, step netpol.Step) error {
	before := in.find(step.Object.Name)
	if step.Verb != netpol.Update || before == nil || netpol.OwnershipOf(before, netpol.IdentityOf(in.policy)) != netpol.Adoptable {
		return nil
	}
	live := &v1alpha1.FQDNEgressPolicy{}
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(in.policy), live); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("reading the policy before NetworkPolicy %s becomes its own: %w", step.Object.Name, err)
	}
	if live.UID != in.policy.UID || !live.DeletionTimestamp.IsZero() {
		return errStale
	}
	return nil
}

// lookBehindCache reads a NetworkPolicy that exists although the cache does not show it, and adds it to what was
// observed: whose it is decides what becomes of it.
func (r *PolicyReconciler) lookBehindCache(ctx context.Context, in *observation, name string) error {
	np := networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: in.policy.Namespace, Name: name}}
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(&np), &np); err != nil {
		return fmt.Errorf("reading NetworkPolicy %s, which exists already: %w", name, err)
	}
	in.take(netpol.Update, &np)
	return errStale
}

// find returns the live NetworkPolicy of that name; nil if there is none.
func (in *observation) find(name string) *networkingv1.NetworkPolicy {
	for i := range in.live {
		if in.live[i].Name == name {
			return &in.live[i]
		}
	}
	return nil
}

// take makes the observation what the API has after a step.
func (in *observation) take(verb netpol.Verb, np *networkingv1.NetworkPolicy) {
	live := slices.DeleteFunc(slices.Clone(in.live), func(old networkingv1.NetworkPolicy) bool { return old.Name == np.Name })
	if verb != netpol.Delete {
		live = append(live, *np)
	}
	in.live, in.input.Live = live, live
}

func gerund(v netpol.Verb) string {
	switch v {
	case netpol.Create:
		return "creating"
	case netpol.Update:
		return "updating"
	case netpol.Delete:
		return "deleting"
	}
	return string(v)
}
