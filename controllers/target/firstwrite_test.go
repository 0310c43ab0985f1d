// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

// Times are seconds after testNow, when the policy was created; never stands for "not yet".
func TestInvariant11_FirstWriteAt(t *testing.T) {
	const never = -1000
	at := func(seconds int) time.Time {
		if seconds == never {
			return time.Time{}
		}
		return testNow.Add(time.Duration(seconds) * time.Second)
	}
	for name, tc := range map[string]struct {
		wanted, answered int
		served           int // when there was a DNS server to ask
		created          int
		carries, edited  bool // NetworkPolicies of before are there; the spec was edited since
		want             int  // never: it does not wait
	}{
		"a new policy waits two seconds for its names":               {wanted: 0, answered: never, served: -60, want: 2},
		"no longer than they are answered":                           {wanted: 0, answered: 1, served: -60, want: never},
		"two seconds from the moment when there is a server to ask":  {wanted: 0, answered: never, served: 7, want: 9},
		"nobody to ask: thirty seconds from the creation":            {wanted: 0, answered: never, served: never, want: 30},
		"a server late in these does not make it longer":             {wanted: 0, answered: never, served: 29, want: 30},
		"a crash loop does not renew that":                           {wanted: 20, answered: never, served: never, want: 30},
		"after it a start waits two seconds":                         {wanted: 100, answered: never, served: never, want: 102},
		"nor does an API server whose clock is ahead make it longer": {wanted: 0, answered: never, served: never, created: 600, want: 30},
		"a start carries what is there":                              {wanted: 100, answered: never, served: never, carries: true, want: never},
		"but not for rules that the spec got meanwhile":              {wanted: 100, answered: never, served: 99, carries: true, edited: true, want: 102},
	} {
		t.Run(name, func(t *testing.T) {
			policy := &v1alpha1.FQDNEgressPolicy{ObjectMeta: metav1.ObjectMeta{
				Namespace: "shop", Name: "web", UID: "u", CreationTimestamp: metav1.NewTime(at(tc.created)),
			}}
			policy.Spec.Egress = []v1alpha1.EgressRule{{To: []v1alpha1.EgressPeer{{FQDN: "www.example.com"}}}}
			s := &situation{policy: policy, memory: &memory{servedAt: at(tc.served)}}
			s.snapshot.Patterns = []addressbook.PatternState{{Pattern: given.Pattern(t, "www.example.com"), Wanted: at(tc.wanted), Answered: at(tc.answered)}}
			if tc.carries {
				np := networkPolicy("192.0.2.1/32")
				np.Namespace, np.Labels = "shop", map[string]string{netpol.LabelPolicy: "web"}
				s.live = []networkingv1.NetworkPolicy{np}
				if tc.edited {
					policy.Spec.Egress[0].Ports = []v1alpha1.EgressPort{{}}
				}
				s.memory.carried.rules = netpol.CarriedFrom(s.rules(), nil, s.live, netpol.DNS{}, testNow)
			}
			if got := firstWriteAt(s); !got.Equal(at(tc.want)) {
				t.Errorf("first write %s after the creation, want %d s", got.Sub(testNow), tc.want)
			}
		})
	}
}

func TestFirstWriteDoesNotWaitForWildcards(t *testing.T) {
	s := &situation{policy: &v1alpha1.FQDNEgressPolicy{}, memory: &memory{}}
	s.snapshot.Patterns = []addressbook.PatternState{{Pattern: given.Pattern(t, "*.example.com"), Wanted: testNow}}
	if got := firstWriteAt(s); !got.IsZero() {
		t.Errorf("it waits until %s for a name that nobody can ask for", got)
	}
}
