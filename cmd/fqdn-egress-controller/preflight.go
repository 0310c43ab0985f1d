// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
)

// preflight finds out what would only show as a cache that never syncs: no API server, no CRD, no permission.
func preflight(ctx context.Context, mgr ctrl.Manager) error {
	policyKind := v1alpha1.GroupVersion().WithKind(v1alpha1.Kind)
	served, err := serves(mgr, policyKind)
	if err != nil {
		return fmt.Errorf("asking the API server at %s what it serves: %w", mgr.GetConfig().Host, err)
	}
	if !served {
		return fmt.Errorf("the API server does not serve %s %s: install the CRD first (kubectl apply -k config/crd)",
			policyKind.GroupVersion(), policyKind.Kind)
	}
	for _, list := range []client.ObjectList{&v1alpha1.FQDNEgressPolicyList{}, &networkingv1.NetworkPolicyList{}} {
		err := mgr.GetAPIReader().List(ctx, list, client.Limit(1))
		if apierrors.IsForbidden(err) {
			return fmt.Errorf("no permission (apply config/rbac): %w", err)
		}
		if err != nil {
			return fmt.Errorf("first read from the API server: %w", err)
		}
	}
	return nil
}

// serves tells whether the API server serves a kind.
func serves(mgr ctrl.Manager, kind schema.GroupVersionKind) (bool, error) {
	_, err := mgr.GetRESTMapper().RESTMapping(kind.GroupKind(), kind.Version)
	if meta.IsNoMatchError(err) {
		return false, nil
	}
	return err == nil, err
}
