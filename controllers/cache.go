// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
)

// CacheOptions lets the manager's cache keep only what somebody here reads, and that in little memory: see shared.
//
//	of all                                        no managed fields
//	of FQDNEgressPolicies                         no annotations: kubectl apply keeps the spec a second time there
//	of NetworkPolicies that concern no policy     the name and the identity: that one is there, should it get a label of ours
//	of other NetworkPolicies                      everything; also what is in the way of a policy may become ours
func CacheOptions() cache.Options {
	// By one transform for all: with options of their own for a kind the manager asks for it before it can say that its CRD is
	// missing.
	return cache.Options{DefaultTransform: (&shared{}).trim}
}

// trim is the transform of everything.
func (s *shared) trim(o any) (any, error) {
	switch o := o.(type) {
	case *v1alpha1.FQDNEgressPolicy: // nobody writes them but by a patch of the status
		o.ManagedFields, o.Annotations = nil, nil
		s.policy(o)
		return o, nil
	case *networkingv1.NetworkPolicy:
		trimNetworkPolicy(o)
		s.networkPolicy(o)
		return o, nil
	}
	return cache.TransformStripManagedFields()(o)
}

// trimNetworkPolicy keeps what is read of a NetworkPolicy. One that concerns no policy is never read; when that changes, the watch
// brings all of it.
func trimNetworkPolicy(np *networkingv1.NetworkPolicy) {
	np.ManagedFields = nil
	if len(policiesOf(np)) > 0 {
		return
	}
	np.ObjectMeta = metav1.ObjectMeta{
		Namespace: np.Namespace, Name: np.Name, UID: np.UID, ResourceVersion: np.ResourceVersion, Generation: np.Generation,
	}
	np.Spec = networkingv1.NetworkPolicySpec{}
}
