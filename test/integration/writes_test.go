// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"maps"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
)

// writes counts the resourceVersions that objects of our kinds get in the namespace while during runs.
func (w *world) writes(during func()) int {
	w.t.Helper()
	before := w.versions(&v1alpha1.FQDNEgressPolicyList{}, &networkingv1.NetworkPolicyList{})
	during()
	n := 0
	after := w.versions(&v1alpha1.FQDNEgressPolicyList{}, &networkingv1.NetworkPolicyList{})
	for name, version := range after {
		if before[name] != version {
			n++
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			n++
		}
	}
	return n
}

// versions returns the resourceVersion of each object of the namespace that is of these kinds, by its versionKey.
func (w *world) versions(kinds ...client.ObjectList) map[string]string {
	w.t.Helper()
	versions := map[string]string{}
	for _, list := range kinds {
		if err := w.client.List(w.t.Context(), list, client.InNamespace(w.namespace)); err != nil {
			w.t.Fatal(err)
		}
		err := meta.EachListItem(list, func(o runtime.Object) error {
			object := o.(client.Object)
			versions[versionKey(object)] = object.GetResourceVersion()
			return nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return versions
}

func versionKey(o client.Object) string { return fmt.Sprintf("%T/%s", o, o.GetName()) }

// forceWrite makes the controller write the NetworkPolicy of a policy, by an edit that changes no rule: it selects the pods
// of one more label. Whatever is due to be taken away goes with any write, so what is there afterwards stays for good.
// Without it an address that was lost would linger for 30 s, for longer than a test looks.
func (w *world) forceWrite(policy string) {
	w.t.Helper()
	label := ""
	w.edit(policy, func(s *v1alpha1.FQDNEgressPolicySpec) {
		label = fmt.Sprintf("example.com/write-%d", len(s.PodSelector.MatchLabels))
		labels := map[string]v1alpha1.LabelValue{label: ""}
		maps.Copy(labels, s.PodSelector.MatchLabels)
		s.PodSelector.MatchLabels = labels
	})
	w.within(atOnce).eventually(func() error {
		np := w.networkPolicy(policy + "-fqdn")
		if np == nil {
			return fmt.Errorf("no NetworkPolicy of %s", policy)
		}
		if _, ok := np.Spec.PodSelector.MatchLabels[label]; !ok {
			return fmt.Errorf("the NetworkPolicy selects %v, want %s too", np.Spec.PodSelector.MatchLabels, label)
		}
		return nil
	})
}
