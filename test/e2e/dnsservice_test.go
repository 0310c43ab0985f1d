// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/test/e2e/traffic"
)

// The tests of this file take the cluster's DNS Service away, so they have the cluster for themselves.

const (
	dnsNamespace  = "kube-system"
	dnsService    = "kube-dns"
	dnsDeployment = "coredns"
)

// TestDNSServiceMadeAnew: the Service is deleted and made anew under its addresses, as by a Helm chart that is installed again.
func TestDNSServiceMadeAnew(t *testing.T) {
	withoutDNS(t, func(s *scene) (restore func()) {
		services := s.kube.CoreV1().Services(dnsNamespace)
		service, err := services.Get(t.Context(), dnsService, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := services.Delete(t.Context(), dnsService, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		return func() {
			again := &corev1.Service{ObjectMeta: metav1.ObjectMeta{
				Name: service.Name, Labels: service.Labels, Annotations: service.Annotations,
			}}
			service.Spec.DeepCopyInto(&again.Spec)
			if _, err := services.Create(context.WithoutCancel(t.Context()), again, metav1.CreateOptions{}); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestDNSServiceWithoutEndpoints: nobody is behind the Service for a while.
func TestDNSServiceWithoutEndpoints(t *testing.T) {
	withoutDNS(t, func(s *scene) (restore func()) {
		d := &appsv1.Deployment{}
		if err := s.client.Get(t.Context(), client.ObjectKey{Namespace: dnsNamespace, Name: dnsDeployment}, d); err != nil {
			t.Fatal(err)
		}
		s.scale(dnsNamespace, dnsDeployment, 0)
		s.eventually(func(ctx context.Context) error {
			slices := &discoveryv1.EndpointSliceList{}
			of := client.MatchingLabels{discoveryv1.LabelServiceName: dnsService}
			if err := s.client.List(ctx, slices, client.InNamespace(dnsNamespace), of); err != nil {
				return err
			}
			for _, slice := range slices.Items {
				if len(slice.Endpoints) > 0 {
					return fmt.Errorf("%s still has endpoints", slice.Name)
				}
			}
			return nil
		})
		return func() { s.scale(dnsNamespace, dnsDeployment, int(*d.Spec.Replicas)) }
	})
}

// withoutDNS takes the cluster's DNS away and gives it back, while a pod uses what it may. No connection is lost and no rule
// changes; then DNS is followed again.
func withoutDNS(t *testing.T, take func(*scene) (restore func())) {
	t.Helper()
	const away = 12 * time.Second // more than a controller waits for first answers, and than the TTL
	s := newScene(t)
	www, moving := s.domain("www"), s.domain("moving")
	s.setName(t, www, first)
	s.setName(t, moving, second)
	app := s.pod("app")
	s.apply(policy("app", "app", rule(80, www, moving)))
	s.eventuallyAllowed(app, url(second, 80))
	before := &networkingv1.NetworkPolicy{}
	s.get("app-fqdn", before)
	fresh, kept := s.traffic(app, first, "80"), s.open(app, www+".", "80")

	restore := take(s)
	taken, restored := time.Now(), false
	t.Cleanup(func() {
		if !restored {
			restore()
		}
	})
	fresh.next(func(e traffic.Event) bool { return e.Error != "" || e.Told.Sub(taken) > away })
	s.wantBlocked(app, url(third, 80))
	restored = true
	restore()
	if err := s.rolledOut(t.Context(), dnsNamespace, dnsDeployment); err != nil {
		t.Fatal(err)
	}
	s.eventuallyAllowed(app, url(www, 80)) // by its name: DNS is back, and the pod may ask it
	after := &networkingv1.NetworkPolicy{}
	s.get("app-fqdn", after)
	if after.UID != before.UID || after.Generation != before.Generation {
		t.Errorf("the rule was written though nothing changed that it says: %+v, then %+v", before.Spec, after.Spec)
	}

	s.setName(t, moving, third)
	s.eventuallyAllowed(app, url(third, 80))
	s.wantBlocked(app, url(third, 8080))
	fresh.wantNoneDropped()
	kept.wantAnswered()
}
