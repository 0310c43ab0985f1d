// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

const (
	contestedPace = 30 * time.Second // between two tries of what the API server alters
	unservedWait  = 30 * time.Second // after its creation a policy is written although there is no DNS server
)

// awaitFor waits until check returns nil, for so long at most.
func awaitFor(t *testing.T, limit time.Duration, check func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("after %s: %v", limit, err)
		case <-ticker.C:
		}
	}
}

// afterTest is a context for what a test cleans up.
func afterTest() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}

func (w *world) condition(policy, condition string) metav1.Condition {
	w.t.Helper()
	if c := meta.FindStatusCondition(w.policy(policy).Status.Conditions, condition); c != nil {
		return *c
	}
	return metav1.Condition{Type: condition}
}

// conditionIs tells whether a condition of this generation has this status and reason.
func conditionIs(p *v1alpha1.FQDNEgressPolicy, condition string, status metav1.ConditionStatus, reason string) error {
	c := meta.FindStatusCondition(p.Status.Conditions, condition)
	if c == nil || c.Status != status || c.Reason != reason || c.ObservedGeneration != p.Generation {
		return fmt.Errorf("condition %s: %+v, want %s/%s", condition, c, status, reason)
	}
	return nil
}

// A platform's chart lists the metadata server and a private endpoint: what the guard refuses stays out, the status says which
// hosts and what to write, and nothing else waits for them.
func TestRefusedHosts(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("metadata.google.internal", shortTTL, "169.254.169.254")
	w.dns.Set("private.googleapis.com", shortTTL, "199.36.153.8", "199.36.153.9")
	w.dns.Set("apiserver.prod.tenant.example", shortTTL, "10.0.4.2")
	w.start("--retention", "1s")
	w.create("web", nil, rule(80, "metadata.google.internal"), rule(443, "private.googleapis.com", "apiserver.prod.tenant.example"))
	w.wantAllowed(443, "199.36.153.8", "199.36.153.9")
	w.wantAllowed(80)
	w.wantCondition("web", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	message := w.wantCondition("web", v1alpha1.ConditionResolved, metav1.ConditionFalse, v1alpha1.ReasonAddressRefused)
	for _, want := range []string{"metadata.google.internal", "169.254.169.254", "apiserver.prod.tenant.example", "allowedPrivateCIDRs"} {
		if !strings.Contains(message, want) {
			t.Errorf("the message lacks %q: %s", want, message)
		}
	}
	for _, name := range []string{"metadata.google.internal", "apiserver.prod.tenant.example"} {
		if s := w.wantState("web", name, v1alpha1.FQDNRefused); len(s.Refused) != 1 || s.AddressCount != 0 {
			t.Errorf("status of %s: %+v", name, s)
		}
	}
	if n := w.policy("web").Status.UnresolvedCount; n != 2 {
		t.Errorf("%d names unresolved, want 2", n)
	}
	w.wantEvent("web", "AddressRefused")

	w.edit("web", func(s *v1alpha1.FQDNEgressPolicySpec) { s.AllowedPrivateCIDRs = []v1alpha1.CIDR{"10.0.4.0/24"} })
	w.wantAllowed(443, "10.0.4.2", "199.36.153.8", "199.36.153.9")
	w.wantState("web", "apiserver.prod.tenant.example", v1alpha1.FQDNResolved)

	w.dns.Set("private.googleapis.com", shortTTL, "10.99.0.8") // public yesterday and private today
	if s := w.wantState("web", "private.googleapis.com", v1alpha1.FQDNRefused); !strings.Contains(s.Message, "10.99.0.8") {
		t.Errorf("status: %+v", s)
	}
}

// A dead host of somebody else and a wildcard hold nothing up; a person, an alert and an event are told all the same.
func TestADeadHostDoesNotMakeThePolicyUnready(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1")
	p := w.start()
	w.create("web", nil, rule(443, "www.example.com", "*.cdn.example.org", "retired.example.com"))
	w.wantAllowed(443, "192.0.2.1")
	message := w.wantCondition("web", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	if !strings.Contains(message, "retired.example.com") {
		t.Errorf("the column MESSAGE does not name the dead host: %q", message)
	}
	w.wantCondition("web", v1alpha1.ConditionResolved, metav1.ConditionFalse, v1alpha1.ReasonNameNotFound)
	w.wantEvent("web", "ResolutionFailed")
	w.wantEvent("web", "WildcardsUnobserved")
	if n := w.policy("web").Status.UnresolvedCount; n != 2 {
		t.Errorf("%d names unresolved, want 2", n)
	}
	for reason, want := range map[string]float64{"NameNotFound": 1, "WildcardsUnobserved": 1, "ResolutionFailed": 0} {
		if got := p.metric("fqdn_egress_unresolved_names", `reason="`+reason+`"`); got != want {
			t.Errorf("%v unresolved names with reason %s, want %v", got, reason, want)
		}
	}
	if got := p.metric("fqdn_egress_policies_not_ready"); got != 0 {
		t.Errorf("%v policies are not ready", got)
	}
}

// The first status of a generation does not wait for the first write, nor for the pace of statuses.
func TestTheFirstStatusOfAGenerationGoesAtOnce(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1")
	w.dns.Break("slow.example.com", dnstest.Drop())
	w.start()
	w.create("web", nil, rule(443, "slow.example.com"))
	eventually(t, func() error {
		p := w.policy("web")
		return errors.Join(conditionIs(p, v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonPending),
			conditionIs(p, v1alpha1.ConditionProgrammed, metav1.ConditionUnknown, v1alpha1.ReasonPending))
	})
	if np := w.networkPolicy("web-fqdn"); np != nil {
		t.Errorf("the first write did not wait: %v", np.Spec)
	}
	w.edit("web", func(s *v1alpha1.FQDNEgressPolicySpec) { s.Egress = append(s.Egress, rule(80, "www.example.com")) })
	eventually(t, func() error {
		if p := w.policy("web"); p.Status.ObservedGeneration != p.Generation {
			return fmt.Errorf("the status is about generation %d, want %d", p.Status.ObservedGeneration, p.Generation)
		}
		return nil
	})
}

// A quota refuses the create: then nothing is there, and nothing is listed.
func TestStatusListsWhatIsLive(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1")
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "none"}}
	quota.Spec.Hard = corev1.ResourceList{"count/networkpolicies.networking.k8s.io": resource.MustParse("0")}
	if err := w.client.Create(t.Context(), quota); err != nil {
		t.Fatal(err)
	}
	before := quota.DeepCopy()
	quota.Status.Hard, quota.Status.Used = quota.Spec.Hard, quota.Spec.Hard
	if err := w.client.Status().Patch(t.Context(), quota, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.create("web", nil, rule(443, "www.example.com"))
	w.wantCondition("web", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonWriteFailed)
	status := w.policy("web").Status
	if len(status.NetworkPolicies) != 0 || status.AddressCount != 0 || len(status.FQDNs[0].Addresses) != 0 {
		t.Errorf("nothing was written, yet the status says %+v", status)
	}
	if err := w.client.Delete(t.Context(), quota); err != nil {
		t.Fatal(err)
	}
	awaitFor(t, time.Minute, func() error {
		if s := w.policy("web").Status; !slices.Equal(s.NetworkPolicies, []string{"web-fqdn"}) || s.AddressCount != 1 {
			return fmt.Errorf("the status says %v, %d addresses", s.NetworkPolicies, s.AddressCount)
		}
		return nil
	})
}

// With nobody to ask, a start says nothing that it did not see, beyond what the rules have.
func TestInvariant4_AStartWithoutDNSSaysNothingUnseen(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1")
	first := w.start()
	w.create("web", nil, rule(443, "www.example.com"))
	w.wantAllowed(443, "192.0.2.1")
	w.wantCondition("web", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	first.kill()

	// The cluster of these tests has no DNS Service.
	start(t, w.server.Kubeconfig, "--upstreams", "cluster", "--max-stale", "15s").ready()
	w.wantCondition("web", v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonDNSUnavailable)
	status := w.wantState("web", "www.example.com", v1alpha1.FQDNPending)
	if len(w.allowed(443)) == 1 && !slices.Equal(status.Addresses, []string{"192.0.2.1"}) {
		t.Errorf("the rule has the address still, and the status does not: %+v", status)
	}
	awaitFor(t, 2*time.Minute, func() error { // 15 s, and then the address lingers for 30 s
		p := w.policy("web")
		if got := w.allowed(443); len(got) != 0 || p.Status.AddressCount != 0 || len(p.Status.FQDNs[0].Addresses) != 0 {
			return fmt.Errorf("allowed: %v; the status says %+v", got, p.Status.FQDNs)
		}
		return conditionIs(p, v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonDNSUnavailable)
	})
}

// A new policy with nobody to ask leaves running pods alone for thirty seconds, says so, and then fails closed. A crash in
// between does not make it longer.
func TestInvariant11_WithNobodyToAskItWaitsThenFailsClosed(t *testing.T) {
	w := newWorld(t)
	first := start(t, w.server.Kubeconfig, "--upstreams", "cluster").ready()
	policy := w.create("web", nil, rule(443, "www.example.com"))
	w.wantCondition("web", v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonDNSUnavailable)
	first.kill()
	start(t, w.server.Kubeconfig, "--upstreams", "cluster").ready()
	awaitFor(t, 2*unservedWait, func() error {
		if w.networkPolicy("web-fqdn") == nil {
			return errors.New("no NetworkPolicy yet")
		}
		return nil
	})
	np := w.networkPolicy("web-fqdn")
	// Creation times have no fractions.
	if waited := np.CreationTimestamp.Sub(policy.CreationTimestamp.Time); waited < unservedWait-time.Second || waited > unservedWait+5*time.Second {
		t.Errorf("written %s after the policy was created, want %s", waited, unservedWait)
	}
	if err := failsClosed([]networkingv1.NetworkPolicy{*np}); err != nil || len(w.allowed(443)) != 0 {
		t.Errorf("it does not fail closed: %v, %+v", err, np.Spec)
	}
}

// Replicas that fail and come back, and one that knows the name only every other time, write no status each time: what must
// be known of it is said once, and ends once.
func TestInvariant5_FlappingReplicasWriteNoStatusEachTime(t *testing.T) {
	for name, flap := range map[string]func(flapping *dnstest.Server){
		"times out": func(s *dnstest.Server) { s.Break("www.example.com", dnstest.Drop()) },
		"SERVFAIL":  func(s *dnstest.Server) { s.Break("www.example.com", dnstest.Rcode(dns.RcodeServerFailure)) },
		"NXDOMAIN":  func(s *dnstest.Server) { s.Break("www.example.com", dnstest.Rcode(dns.RcodeNameError)) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.dns.Set("www.example.com", shortTTL, "192.0.2.1")
			other := dnstest.Start(t)
			other.Set("www.example.com", shortTTL, "192.0.2.1")
			p := start(t, w.server.Kubeconfig, "--upstreams", w.dns.Addr().String()+","+other.Addr().String()).ready()
			w.create("web", nil, rule(443, "www.example.com"))
			w.wantCondition("web", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
			ask(t, other, 2) // both servers have answered both families, and the status says it
			before := p.metric("fqdn_egress_writes_total", `resource="fqdnegresspolicies/status"`, `outcome="ok"`)
			const flaps = 4
			for range flaps {
				flap(other)
				ask(t, other, 2)
				other.Heal("www.example.com")
				ask(t, other, 2)
			}
			if n := p.metric("fqdn_egress_writes_total", `resource="fqdnegresspolicies/status"`, `outcome="ok"`) - before; n > 2 {
				t.Errorf("%v status writes for %d flaps, want at most one when it begins and one when it ends", n, flaps)
			}
			if got := w.allowed(443); !slices.Equal(got, []string{"192.0.2.1"}) {
				t.Errorf("allowed: %v", got)
			}
			if n := len(w.events("web")); n > 2 {
				t.Errorf("%d events for %d flaps", n, flaps)
			}
		})
	}
}

// ask waits until a DNS server was asked n times more for IPv4.
func ask(t *testing.T, s *dnstest.Server, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.WaitFor(ctx, s.Count("www.example.com", dns.TypeA)+n, "www.example.com", dns.TypeA); err != nil {
		t.Fatal(err)
	}
}

// A namespace goes while its policies are being written: that is no error, and nobody is paged.
func TestANamespaceIsDeletedWhilePoliciesWrite(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1")
	p := w.start()
	for range 10 {
		namespace := w.newNamespaceToDelete("going")
		going := *w
		going.namespace = namespace
		for i := range 5 {
			going.create(fmt.Sprintf("web%d", i), nil, rule(443, "www.example.com"))
		}
		going.wantAllowed(443, "192.0.2.1")
		if err := w.client.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
			t.Fatal(err)
		}
		// What the namespace controller deletes first is a matter of chance: the NetworkPolicies are here, in time to be missed.
		if err := w.client.DeleteAllOf(t.Context(), &networkingv1.NetworkPolicy{}, client.InNamespace(namespace)); err != nil {
			t.Fatal(err)
		}
		awaitFor(t, time.Minute, func() error {
			if n := p.metric("fqdn_egress_policies"); n != 0 {
				return fmt.Errorf("%v policies are left", n)
			}
			return nil
		})
		if p.metric("fqdn_egress_writes_total", `resource="networkpolicies"`, `outcome="terminating"`) > 0 {
			break
		}
	}
	if p.metric("fqdn_egress_writes_total", `resource="networkpolicies"`, `outcome="terminating"`) == 0 {
		t.Error("no write met a namespace that is being deleted: the test says nothing")
	}
	if n := p.metric("fqdn_egress_writes_total", `outcome="error"`); n != 0 {
		t.Errorf("%v writes count as errors", n)
	}
	for line := range strings.Lines(p.log.String()) {
		if strings.Contains(line, `"level":"error"`) {
			t.Errorf("logged as an error: %s", line)
		}
	}
}

func (w *world) newNamespaceToDelete(hint string) string {
	w.t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: hint + "-"}}
	if err := w.client.Create(w.t.Context(), ns); err != nil {
		w.t.Fatal(err)
	}
	return ns.Name
}
