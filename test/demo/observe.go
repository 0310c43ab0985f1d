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

	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
)

// The checks below are for await: nil means that what is waited for is there.

// allReady checks that every policy of the namespace is Ready, and for the spec that it has now.
func (w *world) allReady(ctx context.Context) error {
	list := &v1alpha1.FQDNEgressPolicyList{}
	if err := w.client.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return err
	}
	if len(list.Items) == 0 {
		return errors.New("there is no policy")
	}
	for _, p := range list.Items {
		c := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionReady)
		if c == nil {
			return fmt.Errorf("%s has no status", p.Name)
		}
		if c.Status != metav1.ConditionTrue || c.ObservedGeneration != p.Generation {
			return fmt.Errorf("%s is Ready=%s, %s: %s", p.Name, c.Status, c.Reason, c.Message)
		}
	}
	return nil
}

// names checks that every name of the policy is in that state, with the words in its message.
func (w *world) names(state v1alpha1.FQDNState, words string) func(context.Context) error {
	return func(ctx context.Context) error {
		p := &v1alpha1.FQDNEgressPolicy{}
		if err := w.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: policyName}, p); err != nil {
			return err
		}
		for _, s := range p.Status.FQDNs {
			if s.State != state || !strings.Contains(s.Message, words) {
				return fmt.Errorf("%s is %s: %q", s.FQDN, s.State, s.Message)
			}
		}
		if len(p.Status.FQDNs) == 0 {
			return errors.New("the status lists no name")
		}
		return nil
	}
}

// recorded checks that there is an event about the policy with that reason.
func (w *world) recorded(reason string) func(context.Context) error {
	return func(ctx context.Context) error {
		list := &eventsv1.EventList{}
		if err := w.client.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return err
		}
		var others []string
		for _, e := range list.Items {
			if e.Regarding.Name == policyName && e.Reason == reason {
				return nil
			}
			others = append(others, e.Regarding.Name+": "+e.Reason)
		}
		return fmt.Errorf("there are %q", others)
	}
}

// allows checks that the NetworkPolicy has a peer for the address.
func (w *world) allows(address string) func(context.Context) error {
	return func(ctx context.Context) error {
		allowed, err := w.allowed(ctx)
		if err == nil && !slices.Contains(allowed, address) {
			err = fmt.Errorf("it allows %s", strings.Join(allowed, ", "))
		}
		return err
	}
}

// allowed returns the single addresses that the NetworkPolicy allows.
func (w *world) allowed(ctx context.Context) ([]string, error) {
	np := &networkingv1.NetworkPolicy{}
	if err := w.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: networkPolicy}, np); err != nil {
		return nil, err
	}
	var allowed []string
	for _, rule := range np.Spec.Egress {
		for _, peer := range rule.To {
			if peer.IPBlock == nil {
				continue
			}
			if p, err := netip.ParsePrefix(peer.IPBlock.CIDR); err == nil && p.IsSingleIP() {
				allowed = append(allowed, p.Addr().String())
			}
		}
	}
	return allowed, nil
}

// gone checks that there is no NetworkPolicy.
func (w *world) gone(ctx context.Context) error {
	_, err := w.allowed(ctx)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("NetworkPolicy %s is there", networkPolicy)
	}
	return err
}

const networkPolicyCommand = "kubectl -n " + namespace + " get networkpolicy " + networkPolicy + " -o yaml"

// networkPolicyYAML returns what kubectl prints for the NetworkPolicy, to the byte.
func (w *world) networkPolicyYAML(ctx context.Context) (string, error) {
	return w.kubectl(ctx, "-n", namespace, "get", "networkpolicy", networkPolicy, "-o", "yaml")
}
