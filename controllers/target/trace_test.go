// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

// tracedLine is a log line of one write, as the log has it.
type tracedLine struct {
	Msg           string        `json:"msg"`
	NetworkPolicy string        `json:"networkPolicy"`
	Verb          string        `json:"verb"`
	Why           string        `json:"why"`
	Added         int           `json:"added"`
	Removed       int           `json:"removed"`
	Came          []tracedGroup `json:"came"`
	Went          []tracedGroup `json:"went"`
}

// traced reconciles and returns what it logged.
func (w *world) traced() []tracedLine {
	w.t.Helper()
	var lines []tracedLine
	log := funcr.NewJSON(func(object string) {
		var line tracedLine
		if err := json.Unmarshal([]byte(object), &line); err != nil {
			w.t.Errorf("%v: %s", err, object)
		}
		lines = append(lines, line)
	}, funcr.Options{})
	if _, err := w.r.Reconcile(ctrl.LoggerInto(w.t.Context(), log), testKey()); err != nil {
		w.t.Fatal(err)
	}
	return lines
}

func (w *world) wantTraced(want ...tracedLine) {
	w.t.Helper()
	for i := range want {
		want[i].Msg, want[i].NetworkPolicy = "Wrote NetworkPolicy", testObject
		want[i].Came, want[i].Went = append([]tracedGroup{}, want[i].Came...), append([]tracedGroup{}, want[i].Went...)
	}
	if diff := cmp.Diff(want, w.traced()); diff != "" {
		w.t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestTrace_SaysWhichAddressCameAndWentForWhichName(t *testing.T) {
	w := newWorld(t, interceptor.Funcs{})
	answers := func(addresses ...string) tracedGroup {
		return tracedGroup{Why: whyAnswers, Ports: "*", Names: []string{"www.example.com"}, Sources: []string{"10.96.0.10:53"}, Addresses: addresses}
	}
	dnsRule := tracedGroup{Why: whyDNSRule, Ports: "UDP/53", Addresses: []string{"10.96.0.10"}}
	w.wantTraced(tracedLine{Verb: "create", Why: whySpec, Added: 2, Came: []tracedGroup{answers("192.0.2.1"), dnsRule}})
	w.wantTraced() // what writes nothing logs nothing

	w.answer("192.0.2.2", "192.0.2.3")
	w.wantTraced(tracedLine{Verb: "update", Why: whyAnswers, Added: 2, Came: []tracedGroup{answers("192.0.2.2", "192.0.2.3")}})

	// A minute of TTL and five of retention later the first address goes with the next write.
	w.clock.SetTime(testNow.Add(6*time.Minute + time.Second))
	w.answer("192.0.2.2", "192.0.2.3", "192.0.2.4")
	went := answers("192.0.2.1")
	went.Sources = nil
	w.wantTraced(tracedLine{Verb: "update", Why: whyAnswers, Added: 1, Removed: 1,
		Came: []tracedGroup{answers("192.0.2.4")}, Went: []tracedGroup{went}})

	// Somebody opens everything; the repair says what it took away.
	np := w.object()
	np.Spec.Egress[1].To = append(np.Spec.Egress[1].To, networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: "0.0.0.0/0"}})
	if err := w.api.Update(t.Context(), np); err != nil {
		t.Fatal(err)
	}
	w.wantTraced(tracedLine{Verb: "update", Why: whyRepair, Removed: 1, Went: []tracedGroup{{Why: whyRepair, Ports: "*", Addresses: []string{"0.0.0.0/0"}}}})

	// The name is taken out of the spec.
	w.clock.SetTime(testNow.Add(7 * time.Minute))
	policy := w.policy()
	policy.Status.FQDNs = []v1alpha1.FQDNStatus{{FQDN: "www.example.com", Addresses: []string{"192.0.2.2", "192.0.2.3", "192.0.2.4"}}}
	if err := w.api.Status().Update(t.Context(), policy); err != nil {
		t.Fatal(err)
	}
	w.edit(func(spec *v1alpha1.FQDNEgressPolicySpec) {
		spec.Egress[0].To = []v1alpha1.EgressPeer{{IPBlock: &v1alpha1.IPBlock{CIDR: "203.0.113.0/24"}}}
	})
	w.wantTraced(tracedLine{Verb: "update", Why: whySpec, Added: 1, Removed: 3,
		Came: []tracedGroup{{Why: whySpec, Ports: "*", Addresses: []string{"203.0.113.0/24"}}},
		Went: []tracedGroup{{Why: whySpec, Ports: "*", Names: []string{"www.example.com"}, Addresses: []string{"192.0.2.2", "192.0.2.3", "192.0.2.4"}}}})
}

// Somebody deletes the object after a restart, before the name was answered again.
func TestTrace_SaysForWhichNameAnAddressIsCarried(t *testing.T) {
	www := given.Pattern(t, "www.example.com")
	policy := &v1alpha1.FQDNEgressPolicy{}
	policy.Spec.Egress = []v1alpha1.EgressRule{{To: []v1alpha1.EgressPeer{{FQDN: "www.example.com"}}}}
	tr := tracer{
		in:   &situation{policy: policy, snapshot: addressbook.Snapshot{Patterns: []addressbook.PatternState{{Pattern: www}}}},
		plan: &netpol.Plan{CarriedFor: map[fqdn.Pattern][]netip.Addr{www: given.Addrs("192.0.2.9")}},
	}
	want := tracedGroup{Why: whyCarried, Names: []string{"www.example.com"}}
	if diff := cmp.Diff(want, tr.cameFor(block{cidr: "192.0.2.9/32"})); diff != "" {
		t.Error(diff)
	}
}

// A line fits into what a container runtime keeps together, however much is written; the counts are right all the same.
func TestTrace_IsBounded(t *testing.T) {
	policy := &v1alpha1.FQDNEgressPolicy{}
	tr := tracer{in: &situation{policy: policy}, plan: &netpol.Plan{}}
	var blocks []block
	for i := range 5000 {
		blocks = append(blocks, block{cidr: fmt.Sprintf("2001:db8:1111:2222:3333:4444:%x:%x/128", i, i), ports: netpol.RuleKey(fmt.Sprintf("TCP/%d", i+1))})
	}
	raw, err := json.Marshal(tr.groups(blocks, tr.cameFor))
	if err != nil {
		t.Fatal(err)
	}
	if len(raw) < maxTraced/2 || len(raw) > maxTraced*3/2 {
		t.Errorf("5000 blocks make %d bytes", len(raw))
	}
}
