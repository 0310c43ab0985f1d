// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"crypto/sha256"
	"encoding/json"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// written is what this process sent last of the NetworkPolicies of a target, so that a change by somebody else can be told
// from a change of our own mind without keeping every object twice.
//
//	the live object                     sent last    drifted
//	has our fingerprint                 .1           no
//	has another fingerprint             .1           yes: somebody changed it
//	is gone                             .1           yes: somebody deleted it
//	whatever it has                     nothing      no: an object that this process never wrote did not drift
//
// The zero value is that of a target that nothing was sent for.
type written struct {
	// generation is that of the spec that this process tried to write last; 0: none.
	generation int64
	objects    []writtenObject
}

type writtenObject struct {
	name string
	sum  fingerprint
	// version is the resourceVersion under which the API server has just that; "" if it stores something else.
	version string
}

// sent takes note of an object that was sent, and of the API server's answer.
func (w *written) sent(object, answer *networkingv1.NetworkPolicy) {
	o := writtenObject{name: object.Name, sum: fingerprintOf(object)}
	if fingerprintOf(answer) == o.sum {
		o.version = answer.ResourceVersion
	}
	w.deleted(o.name)
	w.objects = append(w.objects, o)
}

// deleted takes note of an object that was deleted.
func (w *written) deleted(name string) {
	w.objects = slices.DeleteFunc(w.objects, func(o writtenObject) bool { return o.name == name })
}

// know takes the NetworkPolicies that are as they should be. One that needed no write, after a start, counts as if this process
// had written it: from now on a change of it is drift. One that is neither there nor missed is forgotten.
func (w *written) know(owned []networkingv1.NetworkPolicy) {
	w.objects = slices.DeleteFunc(w.objects, func(o writtenObject) bool {
		return !slices.ContainsFunc(owned, func(np networkingv1.NetworkPolicy) bool { return np.Name == o.name })
	})
	for i := range owned {
		if w.find(owned[i].Name) == nil {
			w.sent(&owned[i], &owned[i])
		}
	}
}

// drifted tells whether the named NetworkPolicy is not as it was sent.
func (w *written) drifted(live []networkingv1.NetworkPolicy, name string) bool {
	o := w.find(name)
	if o == nil {
		return false
	}
	for i := range live {
		if live[i].Name == name {
			return (o.version == "" || live[i].ResourceVersion != o.version) && fingerprintOf(&live[i]) != o.sum
		}
	}
	return true
}

// anyDrifted tells whether one of the NetworkPolicies is not as it was sent.
func (w *written) anyDrifted(live []networkingv1.NetworkPolicy) bool {
	return slices.ContainsFunc(w.objects, func(o writtenObject) bool { return w.drifted(live, o.name) })
}

// repairsOnly tells whether the steps only bring back what was sent before.
func (w *written) repairsOnly(live []networkingv1.NetworkPolicy, steps []netpol.Step) bool {
	drifted, changed := false, false
	for _, s := range steps {
		o := w.find(s.Object.Name)
		drifted = drifted || w.drifted(live, s.Object.Name)
		changed = changed || s.Verb == netpol.Delete || o == nil || o.sum != fingerprintOf(s.Object)
	}
	return drifted && !changed
}

func (w *written) find(name string) *writtenObject {
	for i := range w.objects {
		if w.objects[i].name == name {
			return &w.objects[i]
		}
	}
	return nil
}

// fingerprint stands for what we write of a NetworkPolicy: spec, owner and labels, not the annotation. Half of a SHA-256 is enough: it
// hides no drift but from somebody who finds two specs with the same half, and may write NetworkPolicies anyway.
type fingerprint [sha256.Size / 2]byte

func fingerprintOf(np *networkingv1.NetworkPolicy) fingerprint {
	ours := struct {
		Owner  *metav1.OwnerReference
		Labels [2]string
		Spec   networkingv1.NetworkPolicySpec
	}{
		Owner:  metav1.GetControllerOfNoCopy(np),
		Labels: [2]string{np.Labels[netpol.LabelManagedBy], np.Labels[netpol.LabelPolicy]},
		Spec:   np.Spec,
	}
	raw, err := json.Marshal(ours)
	if err != nil {
		// These types marshal always; an equal fingerprint for all would only hide drift from the count.
		return fingerprint{}
	}
	sum := sha256.Sum256(raw)
	return fingerprint(sum[:])
}
