// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package clusterdns

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// attempt is one request whose permission the Follower needs.
type attempt struct {
	verb, resource string
	try            func() error
}

// checkAccess tries what the informers will do, as they would only log what is forbidden and try again for ever. Its error
// is what the first failed attempt met; one for which apierrors.IsForbidden holds will not pass by itself.
func checkAccess(ctx context.Context, client kubernetes.Interface, service types.NamespacedName) error {
	for _, a := range attempts(ctx, client, service) {
		err := a.try()
		if apierrors.IsForbidden(err) {
			return fmt.Errorf("may not %s %s in namespace %s (apply config/rbac, or config/components/cluster-wide-dns where nobody may "+
				"create a Role there, as on GKE Autopilot): %w", a.verb, a.resource, service.Namespace, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func attempts(ctx context.Context, client kubernetes.Interface, service types.NamespacedName) []attempt {
	services := client.CoreV1().Services(service.Namespace)
	endpointSlices := client.DiscoveryV1().EndpointSlices(service.Namespace)
	dns := metav1.ListOptions{Limit: 1, FieldSelector: onlyNamed(service.Name)}
	nodeLocal := metav1.ListOptions{Limit: 1, FieldSelector: onlyNamed(NodeLocalService)}
	oneSlice := metav1.ListOptions{Limit: 1, LabelSelector: slicesOf(service.Name)}
	return []attempt{
		{"list", "services", func() error { _, err := services.List(ctx, dns); return err }},
		{"watch", "services", func() error { return stopped(services.Watch(ctx, dns)) }},
		{"list", "services", func() error { _, err := services.List(ctx, nodeLocal); return err }},
		{"watch", "services", func() error { return stopped(services.Watch(ctx, nodeLocal)) }},
		{"list", "endpointslices.discovery.k8s.io", func() error { _, err := endpointSlices.List(ctx, oneSlice); return err }},
		{"watch", "endpointslices.discovery.k8s.io", func() error { return stopped(endpointSlices.Watch(ctx, oneSlice)) }},
	}
}

func stopped(w apiwatch.Interface, err error) error {
	if err == nil {
		w.Stop()
	}
	return err
}
