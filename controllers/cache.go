// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
)

// CacheOptions lets the manager's cache keep only what somebody here reads.
//
//	of all                                        no managed fields
//	of FQDNEgressPolicies                         no annotations: kubectl apply keeps the spec a second time there
//	of NetworkPolicies that concern no policy     the name and the identity: that one is there, should it get a label of ours
//	of other NetworkPolicies                      everything; also what is in the way of a policy may become ours
func CacheOptions() cache.Options {
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&v1alpha1.FQDNEgressPolicy{}:  {Transform: trimPolicy},
			&networkingv1.NetworkPolicy{}: {Transform: trimNetworkPolicy},
		},
	}
}

// trimPolicy is the transform of FQDNEgressPolicies. Nobody writes them but by a patch of the status.
func trimPolicy(o any) (any, error) {
	if p, ok := o.(*v1alpha1.FQDNEgressPolicy); ok {
		p.ManagedFields, p.Annotations = nil, nil
	}
	return o, nil
}

// trimNetworkPolicy is the transform of NetworkPolicies. One that concerns no policy is never read; when that changes, the watch
// brings all of it.
func trimNetworkPolicy(o any) (any, error) {
	np, ok := o.(*networkingv1.NetworkPolicy)
	if !ok {
		return o, nil
	}
	np.ManagedFields = nil
	if len(policiesOf(np)) > 0 {
		return np, nil
	}
	np.ObjectMeta = metav1.ObjectMeta{
		Namespace: np.Namespace, Name: np.Name, UID: np.UID, ResourceVersion: np.ResourceVersion, Generation: np.Generation,
	}
	np.Spec = networkingv1.NetworkPolicySpec{}
	return np, nil
}
