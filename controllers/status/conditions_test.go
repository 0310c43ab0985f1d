// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/controllers/metrics"
	"github.com/fqdn-egress/fqdn-egress/controllers/target"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

func conditionOf(status v1alpha1.FQDNEgressPolicyStatus, kind string) string {
	c := meta.FindStatusCondition(status.Conditions, kind)
	if c == nil {
		return "none"
	}
	return string(c.Status) + "/" + c.Reason
}

func TestConditionsOfEachState(t *testing.T) {
	state := func(s addressbook.State, message string) func(*findings) {
		return func(f *findings) {
			f.result.Names[0].State, f.result.Names[0].Special.Message = s, message
		}
	}
	refuse := func(f *findings) {
		www := f.result.Names[0].Pattern
		allow(f, www)
		keepOut(f, www, netpol.Refusal{Addr: given.Addrs("192.0.2.1")[0], Reason: "private: list its block in allowedPrivateCIDRs"})
	}
	since := func(d time.Duration, reason string) func(*findings) {
		return func(f *findings) {
			f.policy.Status.Conditions = []metav1.Condition{
				{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady, ObservedGeneration: 3},
				{Type: v1alpha1.ConditionProgrammed, Status: metav1.ConditionFalse, Reason: reason, LastTransitionTime: metav1.NewTime(testNow.Add(-d))},
			}
		}
	}
	both := func(edits ...func(*findings)) func(*findings) {
		return func(f *findings) {
			for _, e := range edits {
				e(f)
			}
		}
	}
	deaf := func(f *findings) { f.result.Heard, f.result.Served = false, 0 }
	leftOut := func(f *findings) { f.result.LeftOut = 7 }

	for name, tc := range map[string]struct {
		edit                        func(*findings)
		ready, resolved, programmed string // status/reason
		unresolved                  int32
	}{
		"resolved": {nil, "True/Ready", "True/Resolved", "True/Programmed", 0},
		"stale still counts as resolved": {state(addressbook.Stale, "SERVFAIL"),
			"True/Ready", "True/Resolved", "True/Programmed", 0},
		"a dead name does not make the policy unready": {state(addressbook.NotFound, "NXDOMAIN"),
			"True/Ready", "False/NameNotFound", "True/Programmed", 1},
		"nor does a failing one": {state(addressbook.Failing, "timeout"),
			"True/Ready", "False/ResolutionFailed", "True/Programmed", 1},
		"nor one whose every address is refused": {refuse, "True/Ready", "False/AddressRefused", "True/Programmed", 1},
		"nor a wildcard that nothing observes": {func(f *findings) {
			f.result.Names[0] = target.Name{Pattern: given.Pattern(t, "*.example.com"), State: addressbook.Pending}
		}, "True/Ready", "False/WildcardsUnobserved", "True/Programmed", 1},
		"a name that may still get its first answer": {both(starting, func(f *findings) { f.result.Heard = true }),
			"Unknown/Pending", "False/Pending", "True/Programmed", 1},
		"a name that got none in two seconds, while others are answered": {both(starting, func(f *findings) {
			f.result.Heard, f.result.Names[0].Special.Wanted = true, testNow.Add(-target.FirstWriteWait)
		}), "True/Ready", "False/Pending", "True/Programmed", 1},
		"a failure within the first two seconds may still be mended": {both(starting, state(addressbook.Failing, "SERVFAIL")),
			"Unknown/Pending", "False/ResolutionFailed", "True/Programmed", 1},
		"nobody to ask": {both(starting, deaf, func(f *findings) { f.result.Names[0].Special.Wanted = testNow.Add(-target.FirstWriteWait) }),
			"Unknown/DNSUnavailable", "False/Pending", "True/Programmed", 1},
		"all that were asked fail": {func(f *findings) {
			f.result.Heard = false
			state(addressbook.Failing, "timeout")(f)
		}, "Unknown/DNSUnavailable", "False/ResolutionFailed", "True/Programmed", 1},
		"nobody to ask, and no name to ask for": {both(deaf, func(f *findings) { f.result.Names = nil }),
			"True/Ready", "True/NoNames", "True/Programmed", 0},
		"the first write waits": {both(starting, func(f *findings) { f.result.Waits = true }),
			"Unknown/Pending", "False/Pending", "Unknown/Pending", 1},
		"the first write waits for a server": {both(starting, deaf, func(f *findings) {
			f.result.Waits, f.result.Names[0].Special.Wanted = true, testNow.Add(-target.FirstWriteWait)
		}), "Unknown/DNSUnavailable", "False/Pending", "Unknown/Pending", 1},
		"no names": {func(f *findings) { f.result.Names = nil }, "True/Ready", "True/NoNames", "True/Programmed", 0},
		"conflict": {func(f *findings) { f.result.Conflicts = []string{"web-fqdn"} },
			"False/Conflict", "True/Resolved", "False/Conflict", 0},
		"write failed": {func(f *findings) { f.result.Error = "quota exceeded" },
			"False/WriteFailed", "True/Resolved", "False/WriteFailed", 0},
		"contested before it was ready": {func(f *findings) { f.result.Contested = true },
			"Unknown/Contested", "True/Resolved", "False/Contested", 0},
		"altered by the API server before it was ready": {func(f *findings) { f.result.Contested, f.result.Altered = true, []string{"egress has 0.0.0.0/0 more"} },
			"Unknown/Contested", "True/Resolved", "False/Contested", 0},
		"contested for less than a minute": {both(since(59*time.Second, "Contested"), func(f *findings) { f.result.Contested = true }),
			"True/Ready", "True/Resolved", "False/Contested", 0},
		"contested for a minute": {both(since(time.Minute, "Contested"), func(f *findings) { f.result.Contested = true }),
			"False/Contested", "True/Resolved", "False/Contested", 0},
		"contested, after another generation was ready": {both(since(time.Second, "Contested"), func(f *findings) {
			f.result.Contested, f.policy.Status.Conditions[0].ObservedGeneration = true, 2
		}), "Unknown/Contested", "True/Resolved", "False/Contested", 0},
		"peers left out for less than a minute": {both(since(time.Second, "LimitReached"), leftOut),
			"True/Ready", "True/Resolved", "False/LimitReached", 0},
		"peers left out for a minute": {both(since(time.Minute, "LimitReached"), leftOut),
			"False/LimitReached", "True/Resolved", "False/LimitReached", 0},
		"addresses of a name left out for a minute": {both(since(time.Minute, "LimitReached"),
			func(f *findings) { f.result.Names[0].Special.Limit = addressbook.AddressesPerName }), "False/LimitReached", "True/Resolved", "False/LimitReached", 0},
		"names of the namespace left out": {func(f *findings) { f.result.Names[0].Special.Limit = addressbook.NamesPerTenant },
			"Unknown/LimitReached", "True/Resolved", "False/LimitReached", 0},
		"addresses of the namespace left out": {func(f *findings) { f.result.Names[0].Special.Limit = addressbook.AddressesPerTenant },
			"Unknown/LimitReached", "True/Resolved", "False/LimitReached", 0},
		"writes wait for long": {both(since(time.Second, "LimitReached"), func(f *findings) { f.result.Limit = metrics.BytesPerNamespace }),
			"True/Ready", "True/Resolved", "False/LimitReached", 0},
		"writes wait for a minute": {both(since(time.Minute, "LimitReached"), func(f *findings) { f.result.Limit = metrics.BytesPerNamespace }),
			"False/LimitReached", "True/Resolved", "False/LimitReached", 0},
		"nothing of this generation is written yet, as it awaits its turn": {func(f *findings) { f.result.AwaitsTurn = true },
			"Unknown/Pending", "True/Resolved", "Unknown/Pending", 0},
		"and that is far away": {func(f *findings) { f.result.AwaitsTurn, f.result.Limit = true, metrics.BytesPerNamespace },
			"Unknown/LimitReached", "True/Resolved", "False/LimitReached", 0},
		"audit that awaits its turn to delete": {func(f *findings) { f.policy.Spec.Mode, f.result.AwaitsTurn = v1alpha1.ModeAudit, true },
			"Unknown/Pending", "True/Resolved", "Unknown/Pending", 0},
		"audit of a policy that was contested": {func(f *findings) {
			f.policy.Spec.Mode, f.result.Contested, f.result.Altered = v1alpha1.ModeAudit, true, []string{"egress has a peer more"}
		}, "True/Ready", "True/Resolved", "True/Audit", 0},
		"audit": {func(f *findings) { f.policy.Spec.Mode = v1alpha1.ModeAudit }, "True/Ready", "True/Resolved", "True/Audit", 0},
		"a failed write hides no failing name in Resolved": {func(f *findings) {
			f.result.Error = "quota exceeded"
			state(addressbook.Failing, "timeout")(f)
		}, "False/WriteFailed", "False/ResolutionFailed", "False/WriteFailed", 1},
	} {
		t.Run(name, func(t *testing.T) {
			f := someFindings(t, tc.edit)
			if strings.Contains(tc.resolved, "ResolutionFailed") {
				allow(&f, f.result.Names[0].Pattern) // failing without an address
			}
			status := statusFor(f, testNow)
			for condition, want := range map[string]string{
				v1alpha1.ConditionReady: tc.ready, v1alpha1.ConditionResolved: tc.resolved, v1alpha1.ConditionProgrammed: tc.programmed,
			} {
				c := meta.FindStatusCondition(status.Conditions, condition)
				if got := conditionOf(status, condition); got != want || c.Message == "" || c.ObservedGeneration != 3 {
					t.Errorf("%s: got %s (%+v), want %s with a message", condition, got, c, want)
				}
			}
			if status.UnresolvedCount != tc.unresolved {
				t.Errorf("%d names without an address, want %d", status.UnresolvedCount, tc.unresolved)
			}
		})
	}
}

func TestStalledIsThereOnlyWhileThereIsAConflict(t *testing.T) {
	f := someFindings(t, func(f *findings) { f.result.Conflicts = []string{"web-fqdn"} })
	f.policy.Status = statusFor(f, testNow)
	if got := conditionOf(f.policy.Status, v1alpha1.ConditionStalled); got != "True/Conflict" {
		t.Errorf("Stalled is %s during a conflict", got)
	}
	f.result.Conflicts = nil
	if got := conditionOf(statusFor(f, testNow), v1alpha1.ConditionStalled); got != "none" {
		t.Errorf("Stalled is %s after it", got)
	}
}

func TestConditionsHaveATimeAlthoughTheDefaultHasNone(t *testing.T) {
	f := someFindings(t, func(f *findings) {
		starting(f)
		f.policy.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionUnknown,
			Reason: v1alpha1.ReasonPending, LastTransitionTime: metav1.Unix(0, 0)}}
	})
	for _, c := range statusFor(f, testNow).Conditions {
		if !c.LastTransitionTime.Time.Equal(testNow) {
			t.Errorf("%s: %s", c.Type, c.LastTransitionTime)
		}
	}
}

func TestResolvedListsTheWorstNamesFirst(t *testing.T) {
	f := someFindings(t, func(f *findings) {
		for name, state := range map[string]addressbook.State{"gone": addressbook.NotFound, "failing": addressbook.Failing} {
			f.result.Names = append(f.result.Names, target.Name{Pattern: given.Pattern(t, name+".example.com"),
				State: state, Answered: true,
				Special: &target.Special{Message: name, Wanted: testNow.Add(-time.Hour)}})
		}
	})
	status := statusFor(f, testNow)
	want := "failing.example.com: failing; gone.example.com: gone"
	if c := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionResolved); c.Message != want {
		t.Errorf("Resolved says %q, want %q", c.Message, want)
	}
	want = "2 of 3 names do not resolve to an address that may be allowed: " + want + "; the NetworkPolicies are written"
	if c := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady); c.Message != want {
		t.Errorf("Ready says %q, want %q", c.Message, want)
	}
}

func TestMessageSaysWhatToKnowOfTheClusterDNS(t *testing.T) {
	message := func(edit func(*findings)) string {
		status := statusFor(someFindings(t, edit), testNow)
		return meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionProgrammed).Message
	}
	if got := message(func(f *findings) { f.dnsRemark = "it is not there" }); got != message(nil)+"; it is not there" {
		t.Errorf("the message is %q", got)
	}
	if omitted := message(func(f *findings) { f.dnsRemark, f.policy.Spec.ClusterDNS = "it is not there", v1alpha1.ClusterDNSOmit }); omitted != message(nil) {
		t.Errorf("without a DNS rule the Service does not matter, yet: %q", omitted)
	}
}

func TestStatusChangesByItselfWhenAContestLasts(t *testing.T) {
	f := someFindings(t, nil)
	f.policy.Status = statusFor(f, testNow)
	f.result.Contested = true
	status := statusFor(f, testNow)
	if next, want := f.next(status, testNow), testNow.Add(disputeWait); !next.Equal(want) {
		t.Errorf("next at %s, want %s", next, want)
	}
	f.policy.Status = status
	status = statusFor(f, testNow.Add(disputeWait))
	if got := conditionOf(status, v1alpha1.ConditionReady); got != "False/Contested" {
		t.Errorf("after a minute Ready is %s", got)
	}
	if next := f.next(status, testNow.Add(disputeWait)); !next.IsZero() {
		t.Errorf("and it is said, yet it changes at %s", next)
	}
}
