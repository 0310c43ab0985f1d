// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
)

func statusWith(programmed string, names ...v1alpha1.FQDNStatus) v1alpha1.FQDNEgressPolicyStatus {
	status := v1alpha1.FQDNEgressPolicyStatus{FQDNs: names}
	if programmed != "" {
		truth := metav1.ConditionFalse
		if programmed == v1alpha1.ReasonProgrammed {
			truth = metav1.ConditionTrue
		}
		status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionProgrammed, Status: truth, Reason: programmed}}
	}
	return status
}

func TestEventsOnTransitionsOnly(t *testing.T) {
	www := func(s v1alpha1.FQDNState) v1alpha1.FQDNStatus {
		return v1alpha1.FQDNStatus{FQDN: "www.example.com", State: s}
	}
	api := func(s v1alpha1.FQDNState) v1alpha1.FQDNStatus {
		return v1alpha1.FQDNStatus{FQDN: "api.example.com", State: s}
	}
	refusing := www("Resolved")
	refusing.Refused = []v1alpha1.RefusedAddress{{Address: "127.0.0.1", Reason: "loopback"}}
	another := www("Resolved")
	another.Refused = []v1alpha1.RefusedAddress{{Address: "127.0.0.2", Reason: "loopback"}}
	refused := refusing
	refused.State = "Refused"
	wildcard := v1alpha1.FQDNStatus{FQDN: "*.example.com", State: "Pending"}
	deaf := statusWith("Programmed")
	deaf.Conditions = append(deaf.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonDNSUnavailable, Message: "no server",
	})

	for name, tc := range map[string]struct {
		before, after v1alpha1.FQDNEgressPolicyStatus
		want          []string
	}{
		"what goes well is no event":     {statusWith(""), statusWith("Programmed", www("Resolved")), nil},
		"failing from the start":         {statusWith(""), statusWith("Programmed", www("Failing")), []string{"ResolutionFailed"}},
		"not found":                      {statusWith("", www("Resolved")), statusWith("", www("NotFound")), []string{"ResolutionFailed"}},
		"stale":                          {statusWith("", www("Resolved")), statusWith("", www("Stale")), []string{"ResolutionFailed"}},
		"one failure to another is none": {statusWith("", www("Stale")), statusWith("", www("Failing")), nil},
		"recovered":                      {statusWith("", www("Failing")), statusWith("", www("Resolved")), []string{"ResolutionRecovered"}},
		"one event for two names": {statusWith("", www("Resolved"), api("Resolved")),
			statusWith("", www("Failing"), api("NotFound")), []string{"ResolutionFailed"}},
		"refused once":               {statusWith("", www("Resolved")), statusWith("", refusing), []string{"AddressRefused"}},
		"still refused":              {statusWith("", refusing), statusWith("", refusing), nil},
		"refused at another address": {statusWith("", refusing), statusWith("", another), nil},
		"every address refused":      {statusWith("", refusing), statusWith("", refused), []string{"AddressRefused"}},
		"refused from the start":     {statusWith(""), statusWith("", refused), []string{"AddressRefused"}},
		"refused no more":            {statusWith("", refused), statusWith("", www("Resolved")), []string{"ResolutionRecovered"}},
		"a wildcard":                 {statusWith(""), statusWith("Programmed", wildcard), []string{"WildcardsUnobserved"}},
		"the same wildcard":          {statusWith("", wildcard), statusWith("", wildcard), nil},
		"nobody to ask":              {statusWith("Programmed"), deaf, []string{"DNSUnavailable"}},
		"still nobody":               {deaf, deaf, nil},
		"conflict":                   {statusWith("Programmed"), statusWith("Conflict"), []string{"Conflict"}},
		"conflict goes on":           {statusWith("Conflict"), statusWith("Conflict"), nil},
		"conflict, then failure":     {statusWith("Conflict"), statusWith("WriteFailed"), []string{"WriteFailed"}},
		"conflict is over":           {statusWith("Conflict"), statusWith("Programmed"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, e := range eventsFor(tc.before, tc.after) {
				got = append(got, e.reason)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
