// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// state is what the policies of a cluster mean something to, in any order.
type state struct {
	pods       []*corev1.Pod
	namespaces []*corev1.Namespace
	policies   []*networkingv1.NetworkPolicy
}

// watch keeps the state of the cluster until ctx ends, and returns when it was read once. It calls wake after each
// change; read gives what there is then.
func watch(ctx context.Context, client kubernetes.Interface, wake func()) (read func() (state, error), err error) {
	factory := informers.NewSharedInformerFactory(client, 0)
	pods := factory.Core().V1().Pods()
	namespaces := factory.Core().V1().Namespaces()
	policies := factory.Networking().V1().NetworkPolicies()
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { wake() },
		UpdateFunc: func(any, any) { wake() },
		DeleteFunc: func(any) { wake() },
	}
	for _, informer := range []cache.SharedIndexInformer{pods.Informer(), namespaces.Informer(), policies.Informer()} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return nil, fmt.Errorf("watching: %w", err)
		}
	}
	factory.Start(ctx.Done())
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return nil, fmt.Errorf("reading %s: %w", kind, context.Cause(ctx))
		}
	}
	return func() (s state, err error) {
		var errs [3]error
		s.pods, errs[0] = pods.Lister().List(labels.Everything())
		s.namespaces, errs[1] = namespaces.Lister().List(labels.Everything())
		s.policies, errs[2] = policies.Lister().List(labels.Everything())
		return s, errors.Join(errs[:]...)
	}, nil
}
