// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
)

// kstatus is what Helm (from 4 on, with --wait) and Flux make of a policy as the API server has it: they wait while it is
// InProgress, go on when it is Current, and give up when it is Failed.
func (w *world) kstatus(policy string) (*status.Result, error) {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(v1alpha1.GroupVersion().WithKind(v1alpha1.Kind))
	if err := w.client.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: policy}, u); err != nil {
		return nil, err
	}
	return status.Compute(u)
}

func (w *world) wantKstatus(policy string, want status.Status) {
	w.t.Helper()
	awaitFor(w.t, 30*time.Second, func() error {
		got, err := w.kstatus(policy)
		if err != nil {
			return err
		}
		if got.Status != want {
			return fmt.Errorf("kstatus takes %s for %s (%s), want %s", policy, got.Status, got.Message, want)
		}
		return nil
	})
}

func (w *world) isKstatus(policy string, want status.Status) {
	w.t.Helper()
	if got, err := w.kstatus(policy); err != nil || got.Status != want {
		w.t.Errorf("kstatus takes %s for %+v (%v), want %s", policy, got, err, want)
	}
}

func TestKstatus(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1")
	foreign := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "taken-fqdn"}}
	if err := w.client.Create(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}

	// Nobody looked at it yet: an object without a status must not count as current.
	w.create("web", nil, rule(443, "www.example.com", "*.cdn.example.org", "retired.example.com"))
	w.create("taken", nil, rule(443, "www.example.com"))
	w.isKstatus("web", status.InProgressStatus)

	// One dead host and a wildcard hold nothing up.
	first := w.start()
	w.wantKstatus("web", status.CurrentStatus)
	w.wantKstatus("taken", status.FailedStatus)

	// An edit that nobody looked at yet.
	first.kill()
	w.edit("web", func(s *v1alpha1.FQDNEgressPolicySpec) { s.Egress = append(s.Egress, rule(80, "www.example.com")) })
	w.isKstatus("web", status.InProgressStatus)

	// Nobody to ask: neither good nor failed.
	second := start(t, w.server.Kubeconfig, "--upstreams", "cluster").ready()
	w.wantCondition("web", v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonDNSUnavailable)
	w.isKstatus("web", status.InProgressStatus)
	second.kill()

	// All of it ends by itself, or when a person did what the message says.
	w.start()
	w.wantKstatus("web", status.CurrentStatus)
	if err := w.client.Delete(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	w.wantKstatus("taken", status.CurrentStatus)
}
