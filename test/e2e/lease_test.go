// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/utils/ptr"
)

const (
	leaseDuration = 15 * time.Second        // controller-runtime's default, as config/default leaves it
	leaseRetry    = 4400 * time.Millisecond // 2 s and, at random, up to 1.2 times that more: client-go's leader election
	restartDelay  = 10 * time.Second        // the kubelet's, before it starts a container that crashed again
	slack         = 5 * time.Second         // for a busy machine
)

// lease is the controller's.
func (s *scene) lease() *coordinationv1.Lease {
	s.t.Helper()
	lease, err := s.kube.CoordinationV1().Leases(controllerNamespace).Get(s.t.Context(), controllerName, metav1.GetOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	return lease
}

// holder is who holds a Lease: the name of a pod, "_" and what is different for each process. It is empty once the Lease was
// released.
func holder(lease *coordinationv1.Lease) string { return ptr.Deref(lease.Spec.HolderIdentity, "") }

// leader is the pod that leads.
func (s *scene) leader() string {
	s.t.Helper()
	pod, _, _ := strings.Cut(holder(s.lease()), "_")
	return pod
}

// handover makes the leader go away and says for how long nobody led, as the Lease has it: from the last sign of life of the
// one, or from its release, to when the next took it.
func (s *scene) handover(away func()) time.Duration {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	before := s.lease()
	changes, err := s.kube.CoordinationV1().Leases(controllerNamespace).Watch(ctx, metav1.ListOptions{
		FieldSelector:   fields.OneTermEqualSelector(metav1.ObjectNameField, controllerName).String(),
		ResourceVersion: before.ResourceVersion,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	defer changes.Stop()
	away()
	last := before
	for change := range changes.ResultChan() {
		now, ok := change.Object.(*coordinationv1.Lease)
		if !ok {
			s.t.Fatalf("watching the Lease: %+v", change)
		}
		if h := holder(now); h != "" && h != holder(before) {
			return now.Spec.AcquireTime.Sub(last.Spec.RenewTime.Time)
		}
		last = now
	}
	s.t.Fatalf("nobody else leads after %s: %+v", patience, last.Spec)
	return 0
}
