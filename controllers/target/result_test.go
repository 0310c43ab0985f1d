// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

// What the status cannot list is counted all the same, after a restart too.
func TestResult_CountsAllThatIsCarried(t *testing.T) {
	carried := networkPolicy("198.51.100.0/32")
	carried.Namespace, carried.Labels = testNamespace, map[string]string{netpol.LabelPolicy: testPolicy}
	carried.Spec.Egress[0].To = nil
	for i := range 200 {
		carried.Spec.Egress[0].To = append(carried.Spec.Egress[0].To,
			networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: fmt.Sprintf("198.51.100.%d/32", i)}})
	}
	w := newWorld(t, interceptor.Funcs{}, &carried)
	policy := w.policy()
	policy.Status.FQDNs = []v1alpha1.FQDNStatus{{FQDN: "www.example.com", Addresses: []string{"198.51.100.7"}}}
	if err := w.api.Status().Update(t.Context(), policy); err != nil {
		t.Fatal(err)
	}
	w.reconcile()
	result := w.result()
	if result.AddressCount != 201 {
		t.Errorf("%d addresses, want those that were carried and the one of the answer", result.AddressCount)
	}
	name := result.Names[0]
	if !name.Holds || !name.Carried || len(name.Addresses) != name.AddressCount {
		t.Errorf("%+v", name)
	}
}

func TestResult_ListsTheFirstAddressesOnly(t *testing.T) {
	w := newWorld(t, interceptor.Funcs{})
	var many []string
	for i := range 200 {
		many = append(many, fmt.Sprintf("198.51.100.%d", i))
	}
	w.answer(many...)
	w.reconcile()
	name := w.result().Of(given.Pattern(t, "www.example.com"))
	if name.AddressCount != 201 || len(name.Addresses) != MaxListed || cap(name.Addresses) > 2*MaxListed {
		t.Errorf("%d addresses, %d listed in a slice of %d", name.AddressCount, len(name.Addresses), cap(name.Addresses))
	}
	if got := w.result().Of(given.Pattern(t, "other.example.com")); got.AddressCount != 0 || got.Holds {
		t.Errorf("of a name that is not listed: %+v", got)
	}
}

func TestResult_AuditSaysWhatWouldBeAllowed(t *testing.T) {
	w := newWorld(t, interceptor.Funcs{})
	w.edit(func(s *v1alpha1.FQDNEgressPolicySpec) { s.Mode = v1alpha1.ModeAudit })
	w.reconcile()
	result := w.result()
	if result.AddressCount != 1 || len(result.Objects) != 0 || len(result.Names[0].Addresses) != 1 || w.object() != nil {
		t.Errorf("%+v", result)
	}
}

// The guard's refusals of what DNS has now, and of what it had before.
func TestRefusals(t *testing.T) {
	current := func(ss ...string) (as []addressbook.Address) {
		for _, a := range given.Addrs(ss...) {
			as = append(as, addressbook.Address{Addr: a, Current: true})
		}
		return as
	}
	retained := addressbook.Address{Addr: given.Addrs("192.0.2.1")[0], Until: testNow.Add(time.Minute)}
	for name, tc := range map[string]struct {
		addresses []addressbook.Address
		refused   []string
		all       bool
	}{
		"all of them":                        {current("10.0.0.2"), []string{"10.0.0.2"}, true},
		"some of them":                       {current("10.0.0.2", "192.0.2.1"), []string{"10.0.0.2"}, false},
		"public yesterday and private today": {append(current("10.0.0.2"), retained), []string{"10.0.0.2"}, true},
		"private yesterday and public today": {append(current("192.0.2.7"), addressbook.Address{Addr: given.Addrs("10.0.0.2")[0]}), []string{"10.0.0.2"}, false},
		"only earlier ones are left":         {[]addressbook.Address{{Addr: given.Addrs("10.0.0.2")[0]}}, []string{"10.0.0.2"}, false},
		"none":                               {current("192.0.2.1"), nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			var refused []netpol.Refusal
			for _, a := range given.Addrs(tc.refused...) {
				refused = append(refused, netpol.Refusal{Addr: a, Reason: "private"})
			}
			rs := refusalsOf(&addressbook.PatternState{Addresses: tc.addresses}, refused)
			if (rs == nil) != (len(refused) == 0) {
				t.Fatalf("got %+v", rs)
			}
			if rs != nil && (rs.All != tc.all || len(rs.First) != len(refused) || (rs.CurrentCount > 0) != tc.all) {
				t.Errorf("got %+v, want all %t", rs, tc.all)
			}
		})
	}
}

func TestCauses(t *testing.T) {
	exact := addressbook.PatternState{Pattern: given.Pattern(t, "www.example.com"), Revision: 1}
	wildcard := addressbook.PatternState{Pattern: given.Pattern(t, "*.example.com"), Revision: 1}
	big := addressbook.PatternState{Pattern: given.Pattern(t, "big.example.com"), Revision: 1, Addresses: make([]addressbook.Address, poolSize)}
	sent := networkPolicy("192.0.2.1/32")
	for name, tc := range map[string]struct {
		generation int64
		before     []addressbook.Revision // of exact, wildcard, big
		live       networkingv1.NetworkPolicy
		contested  bool
		moved      bool // the cluster's DNS did
		want       cause
	}{
		"an edit":                              {1, []addressbook.Revision{0, 0, 0}, sent, false, false, causeEdit},
		"a repair":                             {2, []addressbook.Revision{1, 1, 1}, networkPolicy("0.0.0.0/0"), false, false, causeRepair},
		"a repair, and answers":                {2, []addressbook.Revision{0, 1, 1}, networkPolicy("0.0.0.0/0"), false, false, causeRepair},
		"answers, and the object is contested": {2, []addressbook.Revision{0, 1, 1}, networkPolicy("0.0.0.0/0"), true, false, causeAnswers},
		"a name":                               {2, []addressbook.Revision{0, 1, 1}, sent, false, false, causeAnswers},
		"a wildcard":                           {2, []addressbook.Revision{1, 0, 1}, sent, false, false, causePools},
		"a big name":                           {2, []addressbook.Revision{1, 1, 0}, sent, false, false, causePools},
		"a name and pools":                     {2, []addressbook.Revision{0, 0, 0}, sent, false, false, causeAnswers},
		"nothing but time":                     {2, []addressbook.Revision{1, 1, 1}, sent, false, false, causeAnswers},
		"the cluster's DNS":                    {2, []addressbook.Revision{1, 1, 1}, sent, false, true, causeRepair},
		"nothing was looked at yet":            {2, nil, sent, false, false, causeAnswers},
	} {
		t.Run(name, func(t *testing.T) {
			s := &situation{
				policy: &v1alpha1.FQDNEgressPolicy{ObjectMeta: metav1.ObjectMeta{Generation: 2}},
				memory: &memory{}, live: []networkingv1.NetworkPolicy{tc.live},
			}
			s.snapshot.Patterns = []addressbook.PatternState{exact, wildcard, big}
			s.memory.written.generation, s.memory.looked.revisions = tc.generation, tc.before
			s.memory.looked.basis = s.basis()
			if tc.moved {
				s.dns.ClusterIPs = given.Addrs("10.96.0.11")
			}
			s.memory.written.sent(&sent, &sent)
			s.memory.contest.dispute = &dispute{undone: tc.contested}
			if got := causeOf(s, testNow); got != tc.want {
				t.Errorf("got %d, want %d", got, tc.want)
			}
		})
	}
}

// What waits for its turn says what the book says now, and what is live as it was.
func TestResult_OfATargetThatWaits(t *testing.T) {
	www, api := given.Pattern(t, "www.example.com"), given.Pattern(t, "api.example.com")
	before := Result{AddressCount: 1, Served: 1, Names: []Name{{Pattern: www, AddressCount: 1, State: addressbook.Resolved}}}
	after := before.heard(addressbook.Snapshot{Served: 2, Heard: true, Patterns: []addressbook.PatternState{
		{Pattern: api, State: addressbook.Pending, Wanted: testNow},
		{Pattern: www, State: addressbook.Stale, Message: "SERVFAIL", Answered: testNow, Tried: true},
	}})
	if n := after.Names[0]; n.Pattern != api || n.AddressCount != 0 || n.Answered || !n.Special.Wanted.Equal(testNow) {
		t.Errorf("the new name: %+v", n)
	}
	if n := after.Names[1]; n.State != addressbook.Stale || n.Special.Message != "SERVFAIL" || n.AddressCount != 1 || !n.Answered || !n.Tried {
		t.Errorf("the one of before: %+v", n)
	}
	if after.Served != 2 || !after.Heard || before.Names[0].State != addressbook.Resolved {
		t.Errorf("%+v, before %+v", after, before)
	}
}

// A name that is well takes little memory: nothing waits for it any more.
func TestName_WhatIsSpecial(t *testing.T) {
	well := addressbook.PatternState{Pattern: given.Pattern(t, "www.example.com"), State: addressbook.Resolved, Answered: testNow, Tried: true, Wanted: testNow}
	heard := addressbook.Snapshot{Heard: true, Served: 1}
	for what, tc := range map[string]struct {
		state func(*addressbook.PatternState, *addressbook.Snapshot)
		want  *Special
	}{
		"nothing":             {func(*addressbook.PatternState, *addressbook.Snapshot) {}, nil},
		"not answered":        {func(e *addressbook.PatternState, _ *addressbook.Snapshot) { e.Answered = time.Time{} }, &Special{Wanted: testNow}},
		"pending":             {func(e *addressbook.PatternState, _ *addressbook.Snapshot) { e.State = addressbook.Pending }, &Special{Wanted: testNow}},
		"nobody was heard":    {func(_ *addressbook.PatternState, s *addressbook.Snapshot) { s.Heard = false }, &Special{Wanted: testNow}},
		"nobody to ask":       {func(_ *addressbook.PatternState, s *addressbook.Snapshot) { s.Served = 0 }, &Special{Wanted: testNow}},
		"a message":           {func(e *addressbook.PatternState, _ *addressbook.Snapshot) { e.Message = "SERVFAIL" }, &Special{Message: "SERVFAIL"}},
		"a limit":             {func(e *addressbook.PatternState, _ *addressbook.Snapshot) { e.Limit = addressbook.NamesOfProcess }, &Special{Limit: addressbook.NamesOfProcess}},
		"a pool of addresses": {func(e *addressbook.PatternState, _ *addressbook.Snapshot) { e.Rotation.Rotates = true }, &Special{Rotation: addressbook.Rotation{Rotates: true}}},
	} {
		e, s := well, heard
		tc.state(&e, &s)
		n := Name{Special: &Special{Message: "of before"}}
		n.hear(&e, &s)
		if diff := cmp.Diff(tc.want, n.Special); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
}
