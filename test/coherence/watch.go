// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
)

// policy opens port 443 of the configuration's name.
func (s shape) policy() *v1alpha1.FQDNEgressPolicy {
	port := intstr.FromInt32(443)
	p := &v1alpha1.FQDNEgressPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: s.String()}}
	p.Spec.PodSelector.MatchLabels = map[string]v1alpha1.LabelValue{"app": v1alpha1.LabelValue(s.String())}
	p.Spec.Egress = []v1alpha1.EgressRule{{
		To:    []v1alpha1.EgressPeer{{FQDN: v1alpha1.FQDN(s.host())}},
		Ports: []v1alpha1.EgressPort{{Port: &port}},
	}}
	return p
}

// follow hands what a watch brings to the sites, until it is stopped. An object that is watched for is named as its policy,
// a NetworkPolicy with -fqdn at its end: pools are too small for a second one.
func follow(events <-chan watch.Event, sites map[string]*site) error {
	for event := range events {
		now := time.Now()
		switch object := event.Object.(type) {
		case *networkingv1.NetworkPolicy:
			s := sites[strings.TrimSuffix(object.Name, "-fqdn")]
			if s == nil || event.Type == watch.Deleted {
				return fmt.Errorf("NetworkPolicy %s: %s was not expected", object.Name, event.Type)
			}
			s.programmed(allowedBy(object), now)
		case *v1alpha1.FQDNEgressPolicy:
			if event.Type == watch.Modified { // nobody but the controller does, and only the status
				sites[object.Name].reported(object.Status, now)
			}
		default:
			return fmt.Errorf("the watch brought %s %v", event.Type, event.Object)
		}
	}
	return nil
}

// allowedBy returns the single addresses of the pools that a NetworkPolicy opens.
func allowedBy(np *networkingv1.NetworkPolicy) map[netip.Addr]bool {
	pools := netip.MustParsePrefix("198.18.0.0/15")
	allowed := map[netip.Addr]bool{}
	for _, rule := range np.Spec.Egress {
		for _, to := range rule.To {
			if to.IPBlock == nil {
				continue
			}
			if p, err := netip.ParsePrefix(to.IPBlock.CIDR); err == nil && p.IsSingleIP() && pools.Contains(p.Addr()) {
				allowed[p.Addr()] = true
			}
		}
	}
	return allowed
}

// open begins to watch a kind in the empty namespace.
func open(ctx context.Context, c client.WithWatch, list client.ObjectList) (watch.Interface, error) {
	if err := c.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	return c.Watch(ctx, list, client.InNamespace(namespace),
		&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.GetResourceVersion()}})
}
