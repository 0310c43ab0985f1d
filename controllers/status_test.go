// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
		policy: &v1alpha1.FQDNEgressPolicy{ObjectMeta: metav1.ObjectMeta{Name: "web", Generation: 3}},
		snapshot: addressbook.Snapshot{
			Entries: []addressbook.Entry{{
				Pattern: www, State: addressbook.Resolved, Tried: true, Wanted: testNow.Add(-time.Hour), Answered: testNow.Add(-time.Hour),
				Addresses: []addressbook.Address{{Addr: addrs("192.0.2.1")[0], Current: true}},
			}},
			Served: 1, Heard: true,
		},
		done: programmed{plan: netpol.Plan{Objects: []string{"web-fqdn"}}},
	}
	allow(&f, www, "192.0.2.1")
	if edit != nil {
		edit(&f)
	}
	return f
}

// allow makes these the only addresses that are planned and live.
func allow(f *facts, p fqdn.Pattern, ss ...string) {
	f.done.plan.Allowed = map[fqdn.Pattern][]netip.Addr{p: addrs(ss...)}
	f.done.plan.AddressCount = len(ss)
	f.live = netpol.Liveness{Objects: []string{"web-fqdn"}, Addresses: addrs(ss...), For: map[fqdn.Pattern][]netip.Addr{p: addrs(ss...)}}
}

// starting is the name of aFact right after a start: wanted now, and nothing of it known.
func starting(f *facts) {
	e := &f.snapshot.Entries[0]
	e.State, e.Tried, e.Answered, e.Wanted, e.Addresses = addressbook.Pending, false, time.Time{}, testNow, nil
	f.done.plan.CarriedFor, f.done.plan.Allowed = f.done.plan.Allowed, nil
	f.snapshot.Heard = false
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

// A name is Refused by what DNS says of it now, whatever is still allowed from before.
func TestRefusedNames(t *testing.T) {
	www := pattern(t, "www.example.com")
	refusals := func(ss ...string) (rs []netpol.Refusal) {
		for _, a := range addrs(ss...) {
			rs = append(rs, netpol.Refusal{Addr: a, Reason: "private: list its block in allowedPrivateCIDRs"})
		}
		return rs
	}
	current := func(ss ...string) (as []addressbook.Address) {
		for _, a := range addrs(ss...) {
			as = append(as, addressbook.Address{Addr: a, Current: true})
		}
		return as
	}
	retained := addressbook.Address{Addr: addrs("192.0.2.1")[0], Until: testNow.Add(time.Minute)}
	for name, tc := range map[string]struct {
		state     addressbook.State
		addresses []addressbook.Address
		refused   []netpol.Refusal
		allowed   []string
		want      v1alpha1.FQDNState
		message   string
	}{
		"all of them": {addressbook.Resolved, current("10.0.0.2"), refusals("10.0.0.2"), nil, v1alpha1.FQDNRefused,
			"every address is refused: 10.0.0.2: private: list its block in allowedPrivateCIDRs"},
		"some of them": {addressbook.Resolved, current("10.0.0.2", "192.0.2.1"), refusals("10.0.0.2"), []string{"192.0.2.1"},
			v1alpha1.FQDNResolved, ""},
		"public yesterday and private today": {addressbook.Resolved, append(current("10.0.0.2"), retained), refusals("10.0.0.2"),
			[]string{"192.0.2.1"}, v1alpha1.FQDNRefused,
			"every address is refused: 10.0.0.2: private: list its block in allowedPrivateCIDRs; 1 of earlier answers still allowed"},
		"private yesterday and public today": {addressbook.Resolved, append(current("192.0.2.7"), addressbook.Address{Addr: addrs("10.0.0.2")[0]}),
			refusals("10.0.0.2"), []string{"192.0.2.7"}, v1alpha1.FQDNResolved, ""},
		"all of them, and now it fails": {addressbook.Stale, current("10.0.0.2"), refusals("10.0.0.2"), nil, v1alpha1.FQDNRefused,
			"every address is refused: 10.0.0.2: private: list its block in allowedPrivateCIDRs"},
		"gone": {addressbook.NotFound, nil, nil, nil, v1alpha1.FQDNNotFound, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := aFact(t, func(f *facts) {
				f.snapshot.Entries[0].State, f.snapshot.Entries[0].Addresses = tc.state, tc.addresses
				allow(f, www, tc.allowed...)
				f.done.plan.Refused = map[fqdn.Pattern][]netpol.Refusal{www: tc.refused}
			})
			got := statusFor(f, testNow).FQDNs[0]
			if got.State != tc.want || got.Message != tc.message || int(got.AddressCount) != len(tc.allowed) {
				t.Errorf("got %s %q with %v, want %s %q", got.State, got.Message, got.Addresses, tc.want, tc.message)
			}
		})
	}
}

func TestStatusSaysWhatIsLive(t *testing.T) {
	f := aFact(t, func(f *facts) {
		f.done.err = errors.New("exceeded quota")
		f.live = netpol.Liveness{}
	})
	got := statusFor(f, testNow)
	if got.AddressCount != 0 || len(got.NetworkPolicies) != 0 || got.FQDNs[0].AddressCount != 0 || len(got.FQDNs[0].Addresses) != 0 {
		t.Errorf("nothing is written, yet: %+v", got)
	}
	f.done.err, f.policy.Spec.Mode = nil, v1alpha1.ModeAudit
	got = statusFor(f, testNow)
	if got.AddressCount != 1 || len(got.NetworkPolicies) != 0 || len(got.FQDNs[0].Addresses) != 1 {
		t.Errorf("in mode Audit it tells what would be allowed, and no NetworkPolicy: %+v", got)
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

// A start writes no status as long as names may still be answered; after that nothing is said that was not seen.
func TestInvariant4_StatusAfterAStart(t *testing.T) {
	f := aFact(t, nil)
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
	end := testNow.Add(firstWriteWait)
	same(end.Add(-time.Millisecond))
	if next := f.next(f.policy.Status, testNow); !next.Equal(end) {
		t.Errorf("the status changes at %s, want %s", next, end)
	}
	says(end, "Unknown/DNSUnavailable", v1alpha1.FQDNPending, "192.0.2.1")

	// DNS answers others: with many names it takes a while until each had its turn.
	f.snapshot.Heard = true
	same(testNow.Add(restartPatience - time.Second))
	says(testNow.Add(restartPatience), "True/Ready", v1alpha1.FQDNPending, "192.0.2.1")

	// --max-stale emptied the rules.
	gone := f
	allow(&gone, f.snapshot.Entries[0].Pattern)
	if status := statusFor(gone, testNow); status.FQDNs[0].State != v1alpha1.FQDNPending || status.AddressCount != 0 {
		t.Errorf("nothing is allowed any more, yet: %+v", status)
	}

	// It fails, and something is still allowed: that is stale.
	f.snapshot.Entries[0].State, f.snapshot.Entries[0].Message = addressbook.Failing, "SERVFAIL"
	says(end, "True/Ready", v1alpha1.FQDNStale, "192.0.2.1")
	if got, want := statusFor(f, end).FQDNs[0].Message, "SERVFAIL, keeping 1 address"; got != want { // as the book has it
		t.Errorf("message %q, want %q", got, want)
	}
}

// A new policy whose names the book knows of others is ready at once. That there is nobody to ask it says in its turn, too,
// although nothing happens.
func TestStatusOfAnsweredNamesTellsThatThereIsNobodyToAsk(t *testing.T) {
	f := aFact(t, func(f *facts) { f.snapshot.Served, f.snapshot.Entries[0].Wanted = 0, testNow })
	f.policy.Status = statusFor(f, testNow)
	if ready := f.policy.Status.Conditions[0]; ready.Status != metav1.ConditionTrue {
		t.Fatalf("at first: %+v", ready)
	}
	end := testNow.Add(firstWriteWait)
	if next := f.next(f.policy.Status, testNow); !next.Equal(end) {
		t.Errorf("looked at again at %s, want %s", next, end)
	}
	if ready := statusFor(f, end).Conditions[0]; ready.Reason != v1alpha1.ReasonDNSUnavailable {
		t.Errorf("then: %+v", ready)
	}
}

func TestInvariant5_AuditSaysAfterAStartWhatItSaid(t *testing.T) {
	f := aFact(t, func(f *facts) { f.policy.Spec.Mode, f.live = v1alpha1.ModeAudit, netpol.Liveness{} })
	f.policy.Status = statusFor(f, testNow)
	starting(&f)
	f.done.plan.CarriedFor, f.done.plan.AddressCount, f.live = nil, 0, netpol.Liveness{}
	if diff := cmp.Diff(f.policy.Status, statusFor(f, testNow)); diff != "" {
		t.Error(diff)
	}
}

// TestInvariant4_StatusTellsAllThatWasCarried: more addresses than a status lists were allowed before the restart.
func TestInvariant4_StatusTellsAllThatWasCarried(t *testing.T) {
	f := aFact(t, nil)
	www := f.snapshot.Entries[0].Pattern
	f.live.Addresses = block(0, 400)
	f.live.For[www] = block(0, 400)
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
		f.done.plan.Refused = map[fqdn.Pattern][]netpol.Refusal{}
		f.snapshot.Entries = nil
		for i := range 500 {
			p := pattern(t, "name"+string(rune('a'+i%26))+string(rune('a'+i/26%26))+".example.com")
			f.snapshot.Entries = append(f.snapshot.Entries, addressbook.Entry{Pattern: p, State: addressbook.Resolved})
			f.live.For[p] = many
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
