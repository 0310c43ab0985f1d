// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package tenants has namespaces that ask for more than there is, and one beside them that asks for little and measures how
// long it waits. Benchmarks and integration tests share it.
package tenants

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
)

// Port is the only one that the policies here open.
const Port = 443

// Policy returns one that lets the pods with its name as their label app reach hosts.
func Policy(namespace, name string, hosts ...string) *v1alpha1.FQDNEgressPolicy {
	p := &v1alpha1.FQDNEgressPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	p.Spec.PodSelector.MatchLabels = map[string]v1alpha1.LabelValue{"app": v1alpha1.LabelValue(name)}
	number := intstr.FromInt32(Port)
	rule := v1alpha1.EgressRule{Ports: []v1alpha1.EgressPort{{Port: &number}}}
	for _, host := range hosts {
		rule.To = append(rule.To, v1alpha1.EgressPeer{FQDN: v1alpha1.FQDN(host)})
	}
	p.Spec.Egress = []v1alpha1.EgressRule{rule}
	return p
}

// names returns count host names below a zone, from the first-th on.
func names(zone string, first, count int) []string {
	hosts := make([]string, count)
	for i := range hosts {
		hosts[i] = fmt.Sprintf("host-%06d.%s", first+i, zone)
	}
	return hosts
}

// newNamespace makes one whose name begins with a hint.
func newNamespace(ctx context.Context, c client.Client, hint string) (string, error) {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: hint + "-"}}
	err := c.Create(ctx, ns)
	return ns.Name, err
}
