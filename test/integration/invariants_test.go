// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

// failsClosed is what holds of each generated NetworkPolicy at every instant.
func failsClosed(nps []networkingv1.NetworkPolicy) error {
	for _, np := range nps {
		if !slices.Equal(np.Spec.PolicyTypes, []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}) {
			return fmt.Errorf("%s: policyTypes %v", np.Name, np.Spec.PolicyTypes)
		}
		for _, r := range np.Spec.Egress {
			if len(r.To) == 0 {
				return fmt.Errorf("%s: a rule that allows every destination: %+v", np.Name, r)
			}
		}
	}
	return nil
}

func TestInvariant1_FailsClosedWhenNothingResolves(t *testing.T) {
	w := newWorld(t)
	w.dns.Break("", dnstest.Rcode(dns.RcodeServerFailure))
	w.start()
	stop := w.watchAlways(failsClosed)
	defer stop()
	w.create("web", func(s *v1alpha1.FQDNEgressPolicySpec) { s.ClusterDNS = v1alpha1.ClusterDNSOmit }, rule(443, "www.example.com"))
	w.wantState("web", "www.example.com", v1alpha1.FQDNFailing)
	w.wantCondition("web", v1alpha1.ConditionResolved, metav1.ConditionFalse, v1alpha1.ReasonResolutionFailed)
	// The status is there before the first write, which waits two seconds for a better answer.
	w.within(2*time.Second + margin).eventually(func() error {
		if np := w.networkPolicy("web-fqdn"); np == nil || len(np.Spec.Egress) != 0 {
			return fmt.Errorf("want a NetworkPolicy that allows nothing, got %v", np)
		}
		return nil
	})
}

func TestInvariant3_AddsBeforeItRemoves(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1", "192.0.2.2")
	w.start("--retention", "1s")
	w.create("web", nil, rule(443, "www.example.com"))
	w.wantAllowed(443, "192.0.2.1", "192.0.2.2")
	stop := w.alwaysAllowed(443, "192.0.2.2") // both the old and the new set have it
	w.dns.Set("www.example.com", shortTTL, "192.0.2.2", "192.0.2.3")
	w.wantAllowed(443, "192.0.2.1", "192.0.2.2", "192.0.2.3")
	w.edit("web", func(s *v1alpha1.FQDNEgressPolicySpec) { s.Egress[0].Ports = append(s.Egress[0].Ports, tcp(8443)) })
	w.wantAllowed(8443, "192.0.2.1", "192.0.2.2", "192.0.2.3")
	stop()
}

func TestInvariant5_NoChangeNoWrite(t *testing.T) {
	w := newWorld(t)
	w.dns.Pool("www.example.com", shortTTL, dnstest.RoundRobin(2), "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4")
	w.dns.Set("api.example.com", shortTTL, "192.0.2.9", "2001:db8::9")
	p := w.start()
	w.create("web", nil, rule(443, "www.example.com", "api.example.com"), rule(0, "api.example.com"))
	w.wantAllowed(443, "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.9", "2001:db8::9")
	w.wantCondition("web", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	w.wantAddressCount("web", 6)
	w.wantPool("web", "www.example.com", v1alpha1.PoolStatus{Seen: 4, Estimated: 4})
	before := p.metric("fqdn_egress_writes_total")
	if n := w.writes(func() { w.waitForQueries(12, "www.example.com", dns.TypeA) }); n != 0 {
		t.Errorf("%d objects changed while nothing new was answered", n)
	}
	if after := p.metric("fqdn_egress_writes_total"); after != before {
		t.Errorf("%v writes while nothing new was answered", after-before)
	}
}

func TestInvariant8_HostileAnswersStayOut(t *testing.T) {
	w := newWorld(t)
	hostile := []string{"127.0.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "240.0.0.1", "10.0.0.1", "100.64.0.1",
		"::1", "fe80::1", "ff02::1", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe", "10.7.0.1"}
	w.dns.Set("www.example.com", shortTTL, append([]string{"192.0.2.1", "2001:db8::1"}, hostile...)...)
	w.start("--cluster-cidrs", "203.0.113.0/24")
	w.create("web", func(s *v1alpha1.FQDNEgressPolicySpec) { s.AllowedPrivateCIDRs = []v1alpha1.CIDR{"10.7.0.0/16"} },
		rule(443, "www.example.com"))
	w.wantAllowed(443, "10.7.0.1", "192.0.2.1", "2001:db8::1")
	status := w.wantState("web", "www.example.com", v1alpha1.FQDNResolved)
	if len(status.Refused) != 10 {
		t.Errorf("want the first 10 refused addresses listed, got %v", status.Refused)
	}
	w.wantEvent("web", "AddressRefused")

	// What the guard lets in is judged again when the guard changes.
	w.edit("web", func(s *v1alpha1.FQDNEgressPolicySpec) { s.AllowedPrivateCIDRs = nil })
	w.wantAllowed(443, "192.0.2.1", "2001:db8::1")
	// The cluster's own blocks stay shut whatever a policy says: the flag, and the Service range of the API server.
	w.dns.Set("www.example.com", shortTTL, "203.0.113.5", "10.0.0.1", "192.0.2.7")
	w.edit("web", func(s *v1alpha1.FQDNEgressPolicySpec) { s.AllowedPrivateCIDRs = []v1alpha1.CIDR{"10.0.0.0/24"} })
	w.wantAllowed(443, "192.0.2.1", "192.0.2.7", "2001:db8::1")
}

func TestInvariant9_NoRuleLeaks(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1")
	w.dns.Set("db.example.com", shortTTL, "192.0.2.2")
	w.start()
	w.create("web", nil, rule(443, "www.example.com"), rule(5432, "db.example.com"))
	w.wantAllowed(443, "192.0.2.1")
	w.wantAllowed(5432, "192.0.2.2")

	w.edit("web", func(s *v1alpha1.FQDNEgressPolicySpec) { s.Egress = []v1alpha1.EgressRule{rule(443, "www.example.com")} })
	w.wantAllowed(5432)
	w.wantAllowed(443, "192.0.2.1")
}

func TestEdge39_NameTakenOutWhileItsAddressIsRetained(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1")
	w.dns.Set("api.example.com", shortTTL, "192.0.2.2")
	w.start("--retention", "1h")
	w.create("web", nil, rule(443, "www.example.com", "api.example.com"))
	w.wantAllowed(443, "192.0.2.1", "192.0.2.2")
	w.dns.Set("api.example.com", shortTTL, "192.0.2.3")
	w.wantAllowed(443, "192.0.2.1", "192.0.2.2", "192.0.2.3")
	w.edit("web", func(s *v1alpha1.FQDNEgressPolicySpec) { s.Egress = []v1alpha1.EgressRule{rule(443, "www.example.com")} })
	w.wantAllowed(443, "192.0.2.1")
}

func TestInvariant10_OneBadNameDelaysNobody(t *testing.T) {
	w := newWorld(t)
	w.dns.Break("", dnstest.Drop())
	w.dns.Set("good.example.com", shortTTL, "192.0.2.1")
	w.dns.Break("good.example.com", func(_ dnstest.Query, r *dnstest.Reply) { r.Drop = false })
	w.start()
	// 1,000 names in a black hole.
	for i := range 5 {
		var names []string
		for j := range 200 {
			names = append(names, "hole"+strconv.Itoa(i)+"-"+strconv.Itoa(j)+".example.org")
		}
		w.create("hole"+strconv.Itoa(i), nil, rule(443, names[:100]...), rule(80, names[100:]...))
	}
	w.waitForQueries(1000, "")
	w.create("good", nil, rule(8443, "good.example.com"))
	w.wantAllowed(8443, "192.0.2.1")
	// Its refresh keeps its pace: each question is due a second after the last answer.
	w.waitForQueries(5, "good.example.com", dns.TypeA)
	asked := w.dns.Queries("good.example.com", dns.TypeA)
	for i := 1; i < len(asked); i++ {
		if gap := asked[i].At.Sub(asked[i-1].At); gap > 3*time.Second {
			t.Errorf("refresh %d came %s after the one before; a due question was held up by those that fail", i, gap)
		}
	}
}

func TestInvariant11_FirstWriteIsComplete(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("quick.example.com", shortTTL, "192.0.2.1")
	w.dns.Set("slow.example.com", shortTTL, "192.0.2.2", "2001:db8::2")
	w.dns.Break("slow.example.com", dnstest.Delay(300*time.Millisecond))
	w.start()
	stop := w.watchAlways(func(nps []networkingv1.NetworkPolicy) error {
		if got := allowedBy(nps, 443); len(got) != 3 {
			return fmt.Errorf("a NetworkPolicy that is not complete: %v", got)
		}
		return nil
	})
	w.create("web", nil, rule(443, "quick.example.com", "slow.example.com"))
	w.wantAllowed(443, "192.0.2.1", "192.0.2.2", "2001:db8::2")
	w.wantCondition("web", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	stop()
}

func TestInvariant11_FirstWriteDoesNotWaitForever(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("quick.example.com", shortTTL, "192.0.2.1")
	w.dns.Break("dead.example.com", dnstest.Drop())
	w.start()
	w.create("web", nil, rule(443, "quick.example.com", "dead.example.com"))
	w.within(2*time.Second+margin).wantAllowed(443, "192.0.2.1")
	w.wantState("web", "dead.example.com", v1alpha1.FQDNFailing)
}

func TestInvariant12_AddressesOfANameAreBounded(t *testing.T) {
	w := newWorld(t)
	var many []string
	for i := range 300 {
		many = append(many, fmt.Sprintf("198.51.%d.%d", 100+i/200, i%200+1))
	}
	w.dns.Set("big.example.com", shortTTL, many...)
	p := w.start("--max-addresses-per-name", "250")
	w.create("web", nil, rule(443, "big.example.com"))
	message := w.wantCondition("web", v1alpha1.ConditionProgrammed, metav1.ConditionFalse, v1alpha1.ReasonLimitReached)
	if got := len(w.allowed(443)); got != 250 {
		t.Errorf("%d addresses allowed, want 250 (%s)", got, message)
	}
	w.wantEvent("web", "LimitReached")
	if p.metric("fqdn_egress_limits_hit_total", "addresses_per_name") == 0 {
		t.Error("the metric does not tell that the limit bites")
	}
	if w.dns.CountNet("tcp", "big.example.com") == 0 {
		t.Error("300 records came without TCP")
	}
}

func TestEdge32_TwoPoliciesOneNameDifferentPorts(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1")
	w.dns.Set("same.example.com", shortTTL, "192.0.2.1")
	w.start()
	w.create("a", nil, rule(443, "www.example.com"))
	w.create("b", nil, rule(80, "www.example.com"), rule(8443, "same.example.com"))
	for port, policy := range map[int32]string{443: "a-fqdn", 80: "b-fqdn", 8443: "b-fqdn"} {
		w.wantAllowed(port, "192.0.2.1")
		if got := allowedBy([]networkingv1.NetworkPolicy{*w.networkPolicy(policy)}, port); len(got) != 1 {
			t.Errorf("%s does not open port %d", policy, port)
		}
	}
	if got := allowedBy([]networkingv1.NetworkPolicy{*w.networkPolicy("a-fqdn")}, 80); got != nil {
		t.Errorf("a-fqdn has the ports of the other policy: %v", got)
	}
}

// wantAddressCount waits until the status counts this many addresses.
func (w *world) wantAddressCount(policy string, want int32) {
	w.t.Helper()
	w.eventuallySaid(func() error {
		if got := w.policy(policy).Status.AddressCount; got != want {
			return fmt.Errorf("status counts %d addresses, want %d", got, want)
		}
		return nil
	})
}

// wantEvent waits for an event about the policy.
func (w *world) wantEvent(policy, reason string) {
	w.t.Helper()
	w.eventuallySaid(func() error {
		for _, e := range w.events(policy) {
			if e.Reason == reason {
				return nil
			}
		}
		return fmt.Errorf("no event %s about %s", reason, policy)
	})
}

func (w *world) events(policy string) []corev1.Event {
	w.t.Helper()
	list := &corev1.EventList{}
	if err := w.client.List(w.t.Context(), list, inNamespace(w.namespace)); err != nil {
		w.t.Fatal(err)
	}
	return slices.DeleteFunc(list.Items, func(e corev1.Event) bool { return e.InvolvedObject.Name != policy })
}
