// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"crypto/sha256"
	"encoding/json"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// fingerprint stands for what we write of a NetworkPolicy, so that a change by somebody else can be told from a
// change of our own mind without keeping every object twice.
type fingerprint [sha256.Size]byte

func fingerprintOf(np *networkingv1.NetworkPolicy) fingerprint {
	written := struct {
		Owner  *metav1.OwnerReference
		Labels [2]string
		Spec   networkingv1.NetworkPolicySpec
	}{
		Owner:  metav1.GetControllerOfNoCopy(np),
		Labels: [2]string{np.Labels[netpol.LabelManagedBy], np.Labels[netpol.LabelPolicy]},
		Spec:   np.Spec,
	}
	raw, err := json.Marshal(written)
	if err != nil {
		// These types marshal always; an equal fingerprint for all would only hide drift from the count.
		return fingerprint{}
	}
	return sha256.Sum256(raw)
}
