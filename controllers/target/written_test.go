// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"testing"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

func update(cidr string) []netpol.Step {
	np := networkPolicy(cidr)
	return []netpol.Step{{Verb: netpol.Update, Object: &np}}
}

func TestWritten_Drift(t *testing.T) {
	sent, altered := networkPolicy("192.0.2.1/32"), networkPolicy("192.0.2.1/32")
	sent.ResourceVersion, altered.ResourceVersion = "1", "1"
	altered.Spec.Egress = append(altered.Spec.Egress, networkPolicy("0.0.0.0/0").Spec.Egress...)
	changed := networkPolicy("0.0.0.0/0")
	changed.ResourceVersion = "2"
	labelled := *sent.DeepCopy()
	labelled.ResourceVersion, labelled.Annotations = "3", map[string]string{"somebody": "else"}

	for name, tc := range map[string]struct {
		answer *networkingv1.NetworkPolicy // nil: it was never written
		live   []networkingv1.NetworkPolicy
		want   bool
	}{
		"as it was sent":               {&sent, []networkingv1.NetworkPolicy{sent}, false},
		"somebody added an annotation": {&sent, []networkingv1.NetworkPolicy{labelled}, false},
		"somebody changed it":          {&sent, []networkingv1.NetworkPolicy{changed}, true},
		"somebody deleted it":          {&sent, nil, true},
		"the API server altered it":    {&altered, []networkingv1.NetworkPolicy{altered}, true},
		"this process never wrote it":  {nil, []networkingv1.NetworkPolicy{changed}, false},
		"and it is not there":          {nil, nil, false},
		"another one is not looked at": {&sent, []networkingv1.NetworkPolicy{sent, {}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var w written
			if tc.answer != nil {
				w.sent(&sent, tc.answer)
			}
			if got := w.drifted(tc.live, testObject); got != tc.want || w.anyDrifted(tc.live) != tc.want {
				t.Errorf("drifted %t, any %t; want %t", got, w.anyDrifted(tc.live), tc.want)
			}
		})
	}
}

func TestWritten_KnowsWhatNeededNoWriteAndForgetsWhatIsNotMissed(t *testing.T) {
	var w written
	np, gone := networkPolicy("192.0.2.1/32"), networkPolicy("192.0.2.1/32")
	gone.Name = "web-fqdn-1"
	w.sent(&gone, &gone)
	w.know([]networkingv1.NetworkPolicy{np})
	if w.anyDrifted([]networkingv1.NetworkPolicy{np}) {
		t.Error("an object that is not missed is drift")
	}
	if !w.anyDrifted([]networkingv1.NetworkPolicy{networkPolicy("0.0.0.0/0")}) {
		t.Error("a change of an object that needed no write is no drift")
	}
	w.know([]networkingv1.NetworkPolicy{networkPolicy("0.0.0.0/0")})
	if !w.drifted([]networkingv1.NetworkPolicy{networkPolicy("0.0.0.0/0")}, testObject) {
		t.Error("what was sent is not what counts")
	}
	w.deleted(testObject)
	if w.drifted(nil, testObject) {
		t.Error("what this process deleted is drift")
	}
}

func TestWritten_RepairsOnly(t *testing.T) {
	var w written
	sent := networkPolicy("192.0.2.1/32")
	w.sent(&sent, &sent)
	opened := []networkingv1.NetworkPolicy{networkPolicy("0.0.0.0/0")}
	for name, tc := range map[string]struct {
		live  []networkingv1.NetworkPolicy
		steps []netpol.Step
		want  bool
	}{
		"nothing":                        {opened, nil, false},
		"it is brought back":             {opened, update("192.0.2.1/32"), true},
		"it was deleted":                 {nil, update("192.0.2.1/32"), true},
		"it also gets another address":   {opened, update("192.0.2.9/32"), false},
		"it did not drift":               {[]networkingv1.NetworkPolicy{sent}, update("192.0.2.9/32"), false},
		"an object is deleted with that": {opened, append(update("192.0.2.1/32"), netpol.Step{Verb: netpol.Delete, Object: &sent}), false},
	} {
		if got := w.repairsOnly(tc.live, tc.steps); got != tc.want {
			t.Errorf("%s: %t, want %t", name, got, tc.want)
		}
	}
}
