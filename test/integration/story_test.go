// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
)

// TestOneNameEndToEnd follows one name: declared, resolved, written, moved, gone.
func TestOneNameEndToEnd(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1", "2001:db8::1")
	w.start("--retention", "1s")
	w.create("web", nil, rule(443, "www.example.com"))
	w.wantAllowed(443, "192.0.2.1", "2001:db8::1")
	w.wantCondition("web", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	if blocked := w.allowed(80); blocked != nil {
		t.Errorf("port 80 is open for %v", blocked)
	}

	stop := w.alwaysAllowed(443, "2001:db8::1")
	w.dns.Set("www.example.com", shortTTL, "192.0.2.2", "2001:db8::1")
	w.wantAllowed(443, "192.0.2.1", "192.0.2.2", "2001:db8::1")
	stop()

	if err := w.client.Delete(t.Context(), w.policy("web")); err != nil {
		t.Fatal(err)
	}
	w.wantAllowed(443)
	if np := w.networkPolicy("web-fqdn"); np != nil {
		t.Errorf("the NetworkPolicy outlives its policy: %v", np)
	}
}
