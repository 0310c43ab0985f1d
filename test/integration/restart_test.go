// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"
	coordinationv1 "k8s.io/api/coordination/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

func TestInvariant4_RestartWithDNSDownLosesNothing(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1", "2001:db8::1")
	w.dns.Set("db.example.com", shortTTL, "192.0.2.9")
	first := w.start()
	w.create("web", nil, rule(443, "www.example.com"), rule(5432, "db.example.com"))
	w.wantAllowed(443, "192.0.2.1", "2001:db8::1")
	w.wantCondition("web", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)

	w.dns.Break("", dnstest.Drop())
	stop := w.alwaysAllowed(443, "192.0.2.1", "2001:db8::1")
	first.kill()
	w.start("--retention", "1s")
	// What the status says stays until the names failed; what is allowed stays beyond that.
	if status := w.wantState("web", "www.example.com", v1alpha1.FQDNStale); status.AddressCount != 2 {
		t.Errorf("status after a restart without DNS: %+v", status)
	}
	w.waitForQueries(4, "www.example.com", dns.TypeA)
	w.forceWrite("web")
	w.wantAllowed(443, "192.0.2.1", "2001:db8::1")
	w.wantAllowed(5432, "192.0.2.9") // and in no rule but its own
	stop()
}

func TestInvariant5_RestartWritesNothing(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1", "2001:db8::1")
	w.dns.Set("moving.example.com", shortTTL, "192.0.2.2")
	first := w.start()
	w.create("web", nil, rule(443, "www.example.com", "moving.example.com"), rule(0, "www.example.com"))
	w.wantAllowed(443, "192.0.2.1", "192.0.2.2", "2001:db8::1")
	w.dns.Set("moving.example.com", shortTTL, "192.0.2.3") // so that an address is retained over the restart
	w.wantAllowed(443, "192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1")
	w.wantAddressCount("web", 4)
	first.kill()

	var second *process
	n := w.writes(func() {
		second = w.start()
		w.waitForQueries(8, "www.example.com", dns.TypeA) // beyond the 5 s in which a status waits
	})
	if n != 0 || second.metric("fqdn_egress_writes_total") != 0 {
		t.Errorf("%d objects changed, %v writes", n, second.metric("fqdn_egress_writes_total"))
	}
}

// A name that gets an address which the rule has for another name causes no write. That other name is taken out while no
// controller runs, and the first one does not answer.
func TestInvariant4_RestartKeepsAnAddressThatTwoNamesHave(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("first.example.com", shortTTL, "192.0.2.1", "192.0.2.2")
	w.dns.Break("late.example.com", dnstest.Rcode(dns.RcodeServerFailure))
	before := w.start()
	w.create("web", nil, rule(443, "first.example.com", "late.example.com"))
	w.wantAllowed(443, "192.0.2.1", "192.0.2.2")
	w.dns.Set("late.example.com", shortTTL, "192.0.2.1")
	w.dns.Heal("late.example.com")
	w.wantState("web", "late.example.com", v1alpha1.FQDNResolved)
	before.kill()

	w.dns.Break("", dnstest.Drop())
	w.edit("web", func(s *v1alpha1.FQDNEgressPolicySpec) {
		s.Egress = []v1alpha1.EgressRule{rule(443, "late.example.com")}
	})
	stop := w.alwaysAllowed(443, "192.0.2.1")
	w.start("--retention", "1s")
	w.within(atOnce).wantAllowed(443, "192.0.2.1") // what only the other name had goes at once
	w.waitForQueries(4, "late.example.com", dns.TypeA)
	w.forceWrite("web")
	w.wantAllowed(443, "192.0.2.1")
	stop()
}

func TestInvariant4_CarriedAddressesGoOnceTheNamesAnsweredAndRetentionPassed(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1")
	w.dns.Set("api.example.com", shortTTL, "192.0.2.5")
	first := w.start()
	w.create("web", nil, rule(443, "www.example.com", "api.example.com"))
	w.wantAllowed(443, "192.0.2.1", "192.0.2.5")
	first.kill()
	w.dns.Set("www.example.com", shortTTL, "192.0.2.2")
	w.start("--retention", "1s")
	w.wantAllowed(443, "192.0.2.1", "192.0.2.2", "192.0.2.5") // carried, and added
	w.waitForQueries(4, "api.example.com", dns.TypeA)
	w.dns.Set("api.example.com", shortTTL, "192.0.2.6") // a write, which takes along what is due
	w.wantAllowed(443, "192.0.2.2", "192.0.2.5", "192.0.2.6")
}

func TestInvariant4_ForgedPeerReachesNoOtherPolicyAndNoOtherRule(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1")
	w.dns.Set("db.example.com", shortTTL, "192.0.2.2")
	first := w.start()
	w.create("web", nil, rule(443, "www.example.com"), rule(5432, "db.example.com"))
	other := *w
	other.namespace = w.newNamespace("neighbour")
	other.create("web", nil, rule(443, "www.example.com"))
	w.wantAllowed(443, "192.0.2.1")
	w.wantAllowed(5432, "192.0.2.2")
	other.wantAllowed(443, "192.0.2.1")
	first.kill()

	// While no controller runs, somebody who may edit the NetworkPolicies of one namespace forges peers.
	np := w.networkPolicy("web-fqdn")
	for i := range np.Spec.Egress {
		if opens(np.Spec.Egress[i].Ports, 443) {
			for _, cidr := range []string{"198.51.100.66/32", "169.254.169.254/32", "198.51.100.0/24"} {
				np.Spec.Egress[i].To = append(np.Spec.Egress[i].To, networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: cidr}})
			}
		}
	}
	if err := w.client.Update(t.Context(), np); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.waitForQueries(2, "www.example.com", dns.TypeA)
	w.wantAllowed(443, "192.0.2.1", "198.51.100.66") // carried for a while in its own rule; the guard keeps metadata out
	w.wantAllowed(5432, "192.0.2.2")
	other.wantAllowed(443, "192.0.2.1")
	if carries(w.networkPolicy("web-fqdn"), "198.51.100.0/24") {
		t.Error("a block wider than one address was carried")
	}
}

func carries(np *networkingv1.NetworkPolicy, cidr string) bool {
	return slices.ContainsFunc(np.Spec.Egress, func(r networkingv1.NetworkPolicyEgressRule) bool {
		return slices.ContainsFunc(r.To, func(p networkingv1.NetworkPolicyPeer) bool { return p.IPBlock != nil && p.IPBlock.CIDR == cidr })
	})
}

func TestSecondReplicaTakesOver(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1")
	elect := []string{"--leader-elect", "--leader-election-namespace", w.namespace}
	leader := w.start(elect...)
	w.create("web", nil, rule(443, "www.example.com"))
	w.wantAllowed(443, "192.0.2.1")
	standby := w.start(elect...) // ready: its caches are warm
	if got := standby.metric("fqdn_egress_writes_total"); got != 0 {
		t.Errorf("the standby wrote %v times", got)
	}
	stop := w.alwaysAllowed(443, "192.0.2.1")
	if code := leader.terminate(); code != 0 {
		t.Errorf("the leader ended with %d", code)
	}
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1", "192.0.2.2")
	w.within(leaseDuration-margin).wantAllowed(443, "192.0.2.1", "192.0.2.2") // the lease did not run out: it was released
	stop()
	eventually(t, func() error { // the process counts after the API server has shown the write to others
		if standby.metric("fqdn_egress_writes_total", "networkpolicies") == 0 {
			return errors.New("the standby wrote nothing")
		}
		return nil
	})
}

func TestLosingTheLeaseEndsTheProcess(t *testing.T) {
	w := newWorld(t)
	leader := w.start("--leader-elect", "--leader-election-namespace", w.namespace)
	w.create("web", nil)
	w.wantCondition("web", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	lease := &coordinationv1.Lease{}
	if err := w.client.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: "fqdn-egress-controller"}, lease); err != nil {
		t.Fatal(err)
	}
	lease.Spec.HolderIdentity = new("somebody else")
	if err := w.client.Update(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
	if code := leader.exit(); code == 0 {
		t.Error("exit code 0 after losing the lease")
	}
}

func TestEdge19_OrphanedNetworkPolicyIsAdoptedAgain(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1")
	w.start()
	w.create("web", nil, rule(443, "www.example.com"))
	w.wantAllowed(443, "192.0.2.1")
	orphan := metav1.DeletePropagationOrphan
	if err := w.client.Delete(t.Context(), w.policy("web"), &client.DeleteOptions{PropagationPolicy: &orphan}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		err := w.client.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: "web"}, &v1alpha1.FQDNEgressPolicy{})
		if err == nil {
			return errors.New("the policy is still there")
		}
		return client.IgnoreNotFound(err)
	})
	stop := w.alwaysAllowed(443, "192.0.2.1")
	p := w.create("web", nil, rule(443, "www.example.com"))
	eventually(t, func() error {
		np := w.networkPolicy("web-fqdn")
		if np == nil {
			return errors.New("the NetworkPolicy is not there")
		}
		owner := metav1.GetControllerOf(np)
		if owner == nil || owner.UID != p.UID {
			return fmt.Errorf("owner %v, want UID %s", owner, p.UID)
		}
		return nil
	})
	stop()
}

func TestInvariant4_CarriedAddressesDoNotComeBack(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1")
	first := w.start("--retention", "1s")
	w.create("web", nil, rule(443, "www.example.com"))
	w.wantAllowed(443, "192.0.2.1")
	first.kill()
	w.dns.Set("www.example.com", shortTTL, "192.0.2.2")
	w.start("--retention", "1s")
	w.wantAllowed(443, "192.0.2.1", "192.0.2.2")
	w.waitForQueries(4, "www.example.com", dns.TypeA) // retention is over
	w.dns.Set("www.example.com", shortTTL, "192.0.2.3")
	w.wantAllowed(443, "192.0.2.2", "192.0.2.3")

	w.dns.Break("dead.example.com", dnstest.Rcode(dns.RcodeServerFailure))
	stop := w.watchAlways(func(nps []networkingv1.NetworkPolicy) error {
		if got := allowedBy(nps, 443); slices.Contains(got, "192.0.2.1") {
			return fmt.Errorf("192.0.2.1 came back: %v", got)
		}
		return nil
	})
	w.edit("web", func(s *v1alpha1.FQDNEgressPolicySpec) {
		s.Egress = []v1alpha1.EgressRule{rule(443, "www.example.com", "dead.example.com")}
	})
	w.wantState("web", "dead.example.com", v1alpha1.FQDNFailing)
	w.edit("web", func(s *v1alpha1.FQDNEgressPolicySpec) { s.Egress = []v1alpha1.EgressRule{rule(80, "dead.example.com")} })
	w.wantAllowed(443)
	w.edit("web", func(s *v1alpha1.FQDNEgressPolicySpec) {
		s.Egress = []v1alpha1.EgressRule{rule(443, "dead.example.com")}
	})
	w.wantCondition("web", v1alpha1.ConditionProgrammed, metav1.ConditionTrue, v1alpha1.ReasonProgrammed)
	stop()
	w.wantAllowed(443)
}

func TestInvariant4_PortsEditedWhileNoControllerRuns(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1")
	first := w.start()
	w.create("web", nil, rule(443, "www.example.com"))
	w.wantAllowed(443, "192.0.2.1")
	first.kill()
	w.edit("web", func(s *v1alpha1.FQDNEgressPolicySpec) { s.Egress[0].Ports = append(s.Egress[0].Ports, tcp(8443)) })
	w.dns.Break("www.example.com", dnstest.Delay(300*time.Millisecond))
	stop := w.alwaysAllowed(443, "192.0.2.1") // the old spec allows it and the new one does
	w.start()
	w.wantAllowed(8443, "192.0.2.1")
	stop()
}
