// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

var testNow = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func pattern(t *testing.T, s string) fqdn.Pattern {
	t.Helper()
	p, err := fqdn.ParsePattern(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func addrs(ss ...string) []netip.Addr {
	var out []netip.Addr
	for _, s := range ss {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

// aFact is a policy with one resolved name, changed by edit.
func aFact(t *testing.T, edit func(*facts)) facts {
	t.Helper()
	www := pattern(t, "www.example.com")
	f := facts{
		policy:   &v1alpha1.FQDNEgressPolicy{ObjectMeta: metav1.ObjectMeta{Name: "web", Generation: 3}},
		snapshot: addressbook.Snapshot{Entries: []addressbook.Entry{{Pattern: www, State: addressbook.Resolved}}},
		done: programmed{plan: netpol.Plan{
			Objects: []string{"web-fqdn"}, AddressCount: 1,
			Allowed: map[fqdn.Pattern][]netip.Addr{www: addrs("192.0.2.1")},
		}},
	}
	if edit != nil {
		edit(&f)
	}
	return f
}

func TestStatusOfAResolvedName(t *testing.T) {
	got := statusFor(aFact(t, nil), testNow)
	got.Conditions = nil
	want := v1alpha1.FQDNEgressPolicyStatus{
		ObservedGeneration: 3, FQDNCount: 1, AddressCount: 1, NetworkPolicies: []string{"web-fqdn"},
		FQDNs: []v1alpha1.FQDNStatus{{FQDN: "www.example.com", State: "Resolved", AddressCount: 1, Addresses: []string{"192.0.2.1"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestConditionsOfEachState(t *testing.T) {
	state := func(s addressbook.State, message string) func(*facts) {
		return func(f *facts) { f.snapshot.Entries[0].State, f.snapshot.Entries[0].Message = s, message }
	}
	for name, tc := range map[string]struct {
		edit                        func(*facts)
		ready, resolved, programmed string // status/reason
	}{
		"resolved": {nil, "True/Ready", "True/Resolved", "True/Programmed"},
		"stale still counts as resolved": {state(addressbook.Stale, "SERVFAIL"),
			"True/Ready", "True/Resolved", "True/Programmed"},
		"pending": {state(addressbook.Pending, ""), "False/Pending", "False/Pending", "True/Programmed"},
		"not found": {state(addressbook.NotFound, "NXDOMAIN"),
			"False/NameNotFound", "False/NameNotFound", "True/Programmed"},
		"failing": {state(addressbook.Failing, "timeout"),
			"False/ResolutionFailed", "False/ResolutionFailed", "True/Programmed"},
		"a wildcard that nothing observes": {func(f *facts) {
			f.snapshot.Entries[0] = addressbook.Entry{Pattern: pattern(t, "*.example.com"), State: addressbook.Pending}
		}, "False/WildcardsUnobserved", "False/WildcardsUnobserved", "True/Programmed"},
		"no names": {func(f *facts) { f.snapshot.Entries = nil }, "True/Ready", "True/NoNames", "True/Programmed"},
		"conflict": {func(f *facts) { f.done.plan.Conflicts = []string{"web-fqdn"} },
			"False/Conflict", "True/Resolved", "False/Conflict"},
		"contested":    {func(f *facts) { f.contested = true }, "False/Contested", "True/Resolved", "False/Contested"},
		"write failed": {func(f *facts) { f.done.err = errors.New("quota exceeded") }, "False/WriteFailed", "True/Resolved", "False/WriteFailed"},
		"peers left out": {func(f *facts) { f.done.plan.LeftOut = 7 },
			"False/LimitReached", "True/Resolved", "False/LimitReached"},
		"addresses of a name left out": {func(f *facts) { f.snapshot.Entries[0].Limited = true },
			"False/LimitReached", "True/Resolved", "False/LimitReached"},
		"audit": {func(f *facts) { f.policy.Spec.Mode = v1alpha1.ModeAudit }, "True/Ready", "True/Resolved", "True/Audit"},
		"a failed write hides no failing name in Resolved": {func(f *facts) {
			f.done.err = errors.New("quota exceeded")
			state(addressbook.Failing, "timeout")(f)
		}, "False/WriteFailed", "False/ResolutionFailed", "False/WriteFailed"},
	} {
		t.Run(name, func(t *testing.T) {
			status := statusFor(aFact(t, tc.edit), testNow)
			for condition, want := range map[string]string{
				v1alpha1.ConditionReady: tc.ready, v1alpha1.ConditionResolved: tc.resolved, v1alpha1.ConditionProgrammed: tc.programmed,
			} {
				c := meta.FindStatusCondition(status.Conditions, condition)
				if c == nil {
					t.Fatalf("no condition %s", condition)
				}
				if got := string(c.Status) + "/" + c.Reason; got != want || c.Message == "" || c.ObservedGeneration != 3 {
					t.Errorf("%s: got %s (%q, generation %d), want %s with a message", condition, got, c.Message, c.ObservedGeneration, want)
				}
			}
		})
	}
}

func TestMessageSaysThatTheClusterDNSIsMissing(t *testing.T) {
	message := func(edit func(*facts)) string {
		status := statusFor(aFact(t, edit), testNow)
		return meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionProgrammed).Message
	}
	missing := message(func(f *facts) { f.dnsRemark = "the Service is not there" })
	if want := message(nil) + "; the Service is not there"; missing != want {
		t.Errorf("message %q, want %q", missing, want)
	}
	if omitted := message(func(f *facts) {
		f.dnsRemark, f.policy.Spec.ClusterDNS = "the Service is not there", v1alpha1.ClusterDNSOmit
	}); omitted != message(nil) {
		t.Errorf("without a DNS rule the Service does not matter, yet: %q", omitted)
	}
}

func TestInvariant5_SameFactsSameStatus(t *testing.T) {
	f := aFact(t, nil)
	first := statusFor(f, testNow)
	f.policy.Status = first
	if diff := cmp.Diff(first, statusFor(f, testNow.Add(time.Hour))); diff != "" {
		t.Errorf("an hour later, nothing new: %s", diff)
	}
}

func TestInvariant4_StatusStaysAsWrittenUntilTheNameAnswers(t *testing.T) {
	f := aFact(t, nil)
	f.policy.Status = statusFor(f, testNow)
	f.snapshot.Entries[0].State = addressbook.Pending
	f.done.plan.Allowed, f.done.plan.CarriedFor = nil, map[fqdn.Pattern][]netip.Addr{f.snapshot.Entries[0].Pattern: addrs("192.0.2.1")}
	if diff := cmp.Diff(f.policy.Status, statusFor(f, testNow)); diff != "" {
		t.Errorf("before the name answered: %s", diff)
	}
	// Answered, with another address; the carried one is still allowed and belongs to the name.
	f.snapshot.Entries[0].State = addressbook.Resolved
	f.done.plan.Allowed = map[fqdn.Pattern][]netip.Addr{f.snapshot.Entries[0].Pattern: addrs("192.0.2.2")}
	want := []string{"192.0.2.1", "192.0.2.2"}
	if diff := cmp.Diff(want, statusFor(f, testNow).FQDNs[0].Addresses); diff != "" {
		t.Errorf("after the name answered: %s", diff)
	}
	// Failing, but something is still allowed: that is stale.
	f.snapshot.Entries[0].State, f.snapshot.Entries[0].Message = addressbook.Failing, "SERVFAIL"
	f.done.plan.Allowed = nil
	stale := statusFor(f, testNow).FQDNs[0]
	if stale.State != v1alpha1.FQDNStale || stale.AddressCount != 1 || stale.Message != "SERVFAIL, keeping 1 from before the restart" {
		t.Errorf("failing after a restart: %+v", stale)
	}
	f.snapshot.Entries[0].State = addressbook.Resolved
	f.done.plan.Allowed = map[fqdn.Pattern][]netip.Addr{f.snapshot.Entries[0].Pattern: addrs("192.0.2.2")}
	// Carried no more: it goes from the status as well.
	f.done.plan.CarriedFor = nil
	if diff := cmp.Diff(want[1:], statusFor(f, testNow).FQDNs[0].Addresses); diff != "" {
		t.Errorf("after it was released: %s", diff)
	}
}

// TestInvariant4_StatusTellsAllThatWasCarried: more addresses than a status lists were allowed before the restart.
func TestInvariant4_StatusTellsAllThatWasCarried(t *testing.T) {
	f := aFact(t, nil)
	www := f.snapshot.Entries[0].Pattern
	f.done.plan.Allowed = map[fqdn.Pattern][]netip.Addr{www: block(0, 400)}
	f.policy.Status = statusFor(f, testNow)
	// After the restart a first answer had eight of them.
	f.done.plan.Allowed = map[fqdn.Pattern][]netip.Addr{www: block(392, 8)}
	f.done.plan.CarriedFor = map[fqdn.Pattern][]netip.Addr{www: block(0, 392)}
	if diff := cmp.Diff(f.policy.Status, statusFor(f, testNow.Add(time.Hour))); diff != "" {
		t.Errorf("a status write after a restart: %s", diff)
	}
}

func TestInvariant12_StatusIsBounded(t *testing.T) {
	var many []netip.Addr
	for a := netip.MustParseAddr("2001:db8:aaaa:bbbb:cccc:dddd:eeee:1"); len(many) < 1000; a = a.Next() {
		many = append(many, a)
	}
	f := aFact(t, func(f *facts) {
		f.done.plan.Allowed, f.done.plan.Refused = map[fqdn.Pattern][]netip.Addr{}, map[fqdn.Pattern][]netpol.Refusal{}
		f.snapshot.Entries = nil
		for i := range 500 {
			p := pattern(t, "name"+string(rune('a'+i%26))+string(rune('a'+i/26%26))+".example.com")
			f.snapshot.Entries = append(f.snapshot.Entries, addressbook.Entry{Pattern: p, State: addressbook.Resolved})
			f.done.plan.Allowed[p] = many
			for _, a := range many {
				f.done.plan.Refused[p] = append(f.done.plan.Refused[p], netpol.Refusal{Addr: a, Reason: "private"})
			}
		}
	})
	status := statusFor(f, testNow)
	for _, s := range status.FQDNs {
		if len(s.Addresses) != 10 || len(s.Refused) > maxRefused || s.AddressCount != 1000 {
			t.Fatalf("%d addresses listed of %d, %d refused", len(s.Addresses), s.AddressCount, len(s.Refused))
		}
	}
	f.snapshot.Entries = f.snapshot.Entries[:1]
	if got := len(statusFor(f, testNow).FQDNs[0].Addresses); got != maxListed {
		t.Errorf("a policy with one name lists %d addresses, want %d", got, maxListed)
	}
}
