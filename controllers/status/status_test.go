// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/controllers/target"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

var testNow = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// someFindings is a policy with one resolved name, changed by edit.
func someFindings(t *testing.T, edit func(*findings)) findings {
	t.Helper()
	www := given.Pattern(t, "www.example.com")
	f := findings{
		policy: &v1alpha1.FQDNEgressPolicy{ObjectMeta: metav1.ObjectMeta{Name: "web", Generation: 3}},
		result: target.Result{
			Objects: []string{"web-fqdn"}, Planned: []string{"web-fqdn"},
			Served: 1, Heard: true,
			Names: []target.Name{{
				Pattern: www, State: addressbook.Resolved, Tried: true, Special: &target.Special{Wanted: testNow.Add(-time.Hour)}, Answered: true,
			}},
		},
	}
	allow(&f, www, "192.0.2.1")
	if edit != nil {
		edit(&f)
	}
	return f
}

// allow makes these the only addresses that are planned and live.
func allow(f *findings, p fqdn.Pattern, ss ...string) { allowAll(f, p, given.Addrs(ss...)) }

func allowAll(f *findings, p fqdn.Pattern, live []netip.Addr) {
	f.result.AddressCount, f.result.Names = len(live), slices.Clone(f.result.Names)
	for i := range f.result.Names {
		if n := &f.result.Names[i]; n.Pattern == p {
			n.Addresses, n.AddressCount, n.Holds = live[:min(len(live), target.MaxListed)], len(live), len(live) > 0
		}
	}
}

// keepOut makes these the addresses that the guard refuses. They are all that DNS has now, unless another one is Current.
func keepOut(f *findings, p fqdn.Pattern, refused ...netpol.Refusal) {
	f.result.Refused = len(refused)
	for i := range f.result.Names {
		if n := &f.result.Names[i]; n.Pattern == p && len(refused) > 0 {
			n.Refusals = &target.Refusals{First: refused[:min(len(refused), target.MaxRefused)], All: true, Current: refused, CurrentCount: len(refused)}
		}
	}
}

// starting is the name of someFindings right after a start: wanted now, and nothing of it known.
func starting(f *findings) {
	e := &f.result.Names[0]
	e.State, e.Tried, e.Answered, e.Special.Wanted = addressbook.Pending, false, false, testNow
	f.result.Heard = false
}

func TestStatusOfAResolvedName(t *testing.T) {
	got := statusFor(someFindings(t, nil), testNow)
	got.Conditions = nil
	want := v1alpha1.FQDNEgressPolicyStatus{
		ObservedGeneration: 3, FQDNCount: 1, AddressCount: 1, NetworkPolicies: []string{"web-fqdn"},
		FQDNs: []v1alpha1.FQDNStatus{{FQDN: "www.example.com", State: "Resolved", AddressCount: 1, Addresses: []string{"192.0.2.1"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A name is Refused by what DNS says of it now, whatever is still allowed from before. target.TestRefusals has what DNS says now.
func TestRefusedNames(t *testing.T) {
	www := given.Pattern(t, "www.example.com")
	refused := netpol.Refusal{Addr: given.Addrs("10.0.0.2")[0], Reason: "private: list its block in allowedPrivateCIDRs"}
	for name, tc := range map[string]struct {
		state   addressbook.State
		refused bool // some address is
		all     bool // that DNS has now
		allowed []string
		want    v1alpha1.FQDNState
		message string
	}{
		"all of them": {addressbook.Resolved, true, true, nil, v1alpha1.FQDNRefused,
			"every address is refused: 10.0.0.2: private: list its block in allowedPrivateCIDRs"},
		"some of them": {addressbook.Resolved, true, false, []string{"192.0.2.1"}, v1alpha1.FQDNResolved, ""},
		"public yesterday and private today": {addressbook.Resolved, true, true, []string{"192.0.2.1"}, v1alpha1.FQDNRefused,
			"every address is refused: 10.0.0.2: private: list its block in allowedPrivateCIDRs; 1 of earlier answers still allowed"},
		"private yesterday and public today": {addressbook.Resolved, true, false, []string{"192.0.2.7"}, v1alpha1.FQDNResolved, ""},
		"all of them, and now it fails": {addressbook.Stale, true, true, nil, v1alpha1.FQDNRefused,
			"every address is refused: 10.0.0.2: private: list its block in allowedPrivateCIDRs"},
		"gone": {addressbook.NotFound, false, false, nil, v1alpha1.FQDNNotFound, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := someFindings(t, func(f *findings) {
				f.result.Names[0].State = tc.state
				allow(f, www, tc.allowed...)
				if tc.refused {
					keepOut(f, www, refused)
					f.result.Names[0].Refusals.All = tc.all
				}
			})
			got := statusFor(f, testNow).FQDNs[0]
			if got.State != tc.want || got.Message != tc.message || int(got.AddressCount) != len(tc.allowed) {
				t.Errorf("got %s %q with %v, want %s %q", got.State, got.Message, got.Addresses, tc.want, tc.message)
			}
			if listed := len(got.Refused) == 1; listed != tc.refused {
				t.Errorf("refused: %v", got.Refused)
			}
		})
	}
}

func TestStatusSaysWhatIsLive(t *testing.T) {
	f := someFindings(t, func(f *findings) {
		f.result.Error, f.result.Objects = "exceeded quota", nil
		allow(f, f.result.Names[0].Pattern)
	})
	got := statusFor(f, testNow)
	if got.AddressCount != 0 || len(got.NetworkPolicies) != 0 || got.FQDNs[0].AddressCount != 0 || len(got.FQDNs[0].Addresses) != 0 {
		t.Errorf("nothing is written, yet: %+v", got)
	}
}

func TestInvariant5_SameFactsSameStatus(t *testing.T) {
	f := someFindings(t, nil)
	first := statusFor(f, testNow)
	f.policy.Status = first
	if diff := cmp.Diff(first, statusFor(f, testNow.Add(time.Hour))); diff != "" {
		t.Errorf("an hour later, nothing new: %s", diff)
	}
}

// A start writes no status as long as names may still be answered; after that nothing is said that was not seen.
func TestInvariant4_StatusAfterAStart(t *testing.T) {
	f := someFindings(t, nil)
	f.policy.Status = statusFor(f, testNow)
	starting(&f)
	same := func(at time.Time) {
		t.Helper()
		if diff := cmp.Diff(f.policy.Status, statusFor(f, at)); diff != "" {
			t.Errorf("%s after the start: %s", at.Sub(testNow), diff)
		}
	}
	says := func(at time.Time, ready string, state v1alpha1.FQDNState, addresses ...string) {
		t.Helper()
		status := statusFor(f, at)
		got := status.FQDNs[0]
		if conditionOf(status, v1alpha1.ConditionReady) != ready || got.State != state || !slices.Equal(got.Addresses, addresses) {
			t.Errorf("%s after the start: %s, %+v; want %s, %s %v", at.Sub(testNow),
				conditionOf(status, v1alpha1.ConditionReady), got, ready, state, addresses)
		}
	}
	end := testNow.Add(target.FirstWriteWait)
	same(end.Add(-time.Millisecond))
	if next := f.next(f.policy.Status, testNow); !next.Equal(end) {
		t.Errorf("the status changes at %s, want %s", next, end)
	}
	says(end, "Unknown/DNSUnavailable", v1alpha1.FQDNPending, "192.0.2.1")

	// DNS answers others: with many names it takes a while until each had its turn.
	f.result.Heard = true
	same(testNow.Add(restartPatience - time.Second))
	says(testNow.Add(restartPatience), "True/Ready", v1alpha1.FQDNPending, "192.0.2.1")

	// --max-stale emptied the rules.
	gone := f
	allow(&gone, f.result.Names[0].Pattern)
	if status := statusFor(gone, testNow); status.FQDNs[0].State != v1alpha1.FQDNPending || status.AddressCount != 0 {
		t.Errorf("nothing is allowed any more, yet: %+v", status)
	}

	// It fails, and something is still allowed: that is stale.
	f.result.Names[0].State, f.result.Names[0].Special.Message = addressbook.Failing, "SERVFAIL"
	says(end, "True/Ready", v1alpha1.FQDNStale, "192.0.2.1")
	if got, want := statusFor(f, end).FQDNs[0].Message, "SERVFAIL, keeping 1 address"; got != want { // as the book has it
		t.Errorf("message %q, want %q", got, want)
	}
}

// A new policy whose names the book knows of others is ready at once. That there is nobody to ask it says in its turn, too,
// although nothing happens.
func TestStatusOfAnsweredNamesTellsThatThereIsNobodyToAsk(t *testing.T) {
	f := someFindings(t, func(f *findings) { f.result.Served, f.result.Names[0].Special.Wanted = 0, testNow })
	f.policy.Status = statusFor(f, testNow)
	if ready := f.policy.Status.Conditions[0]; ready.Status != metav1.ConditionTrue {
		t.Fatalf("at first: %+v", ready)
	}
	end := testNow.Add(target.FirstWriteWait)
	if next := f.next(f.policy.Status, testNow); !next.Equal(end) {
		t.Errorf("looked at again at %s, want %s", next, end)
	}
	if ready := statusFor(f, end).Conditions[0]; ready.Reason != v1alpha1.ReasonDNSUnavailable {
		t.Errorf("then: %+v", ready)
	}
}

func TestInvariant5_AuditSaysAfterAStartWhatItSaid(t *testing.T) {
	f := someFindings(t, func(f *findings) { f.policy.Spec.Mode, f.result.Objects = v1alpha1.ModeAudit, nil })
	f.policy.Status = statusFor(f, testNow)
	starting(&f)
	allow(&f, f.result.Names[0].Pattern)
	f.result.Names[0].Holds = true // there is nothing to hold
	if diff := cmp.Diff(f.policy.Status, statusFor(f, testNow)); diff != "" {
		t.Error(diff)
	}
}

func TestInvariant12_StatusIsBounded(t *testing.T) {
	var many []netip.Addr
	for a := netip.MustParseAddr("2001:db8:aaaa:bbbb:cccc:dddd:eeee:1"); len(many) < 1000; a = a.Next() {
		many = append(many, a)
	}
	f := someFindings(t, func(f *findings) {
		f.result.Names = nil
		for i := range 500 {
			p := given.Pattern(t, "name"+string(rune('a'+i%26))+string(rune('a'+i/26%26))+".example.com")
			f.result.Names = append(f.result.Names, target.Name{Pattern: p, State: addressbook.Resolved})
			allowAll(f, p, many)
			var refused []netpol.Refusal
			for _, a := range many {
				refused = append(refused, netpol.Refusal{Addr: a, Reason: "private"})
			}
			keepOut(f, p, refused...)
			f.result.Names[i].Refusals.All = false
		}
	})
	status := statusFor(f, testNow)
	for _, s := range status.FQDNs {
		if len(s.Addresses) != 10 || len(s.Refused) > maxRefused || s.AddressCount != 1000 {
			t.Fatalf("%d addresses listed of %d, %d refused", len(s.Addresses), s.AddressCount, len(s.Refused))
		}
	}
	f.result.Names = f.result.Names[:1]
	if got := len(statusFor(f, testNow).FQDNs[0].Addresses); got != maxListed {
		t.Errorf("a policy with one name lists %d addresses, want %d", got, maxListed)
	}
}
