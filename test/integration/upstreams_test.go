// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

func TestEdge6_OneDeadUpstreamOfTwo(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1")
	dead := dnstest.Start(t)
	dead.Break("", dnstest.Drop())
	p := start(t, w.server.Kubeconfig, "--upstreams", w.dns.Addr().String()+","+dead.Addr().String()).ready()
	w.create("web", nil, rule(443, "www.example.com"))
	w.wantAllowed(443, "192.0.2.1")
	w.wantState("web", "www.example.com", v1alpha1.FQDNResolved)
	w.wantCondition("web", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	// A server that fails beside others is the operator's concern at once, and a name's after a minute.
	eventually(t, func() error {
		if n := p.metric("fqdn_egress_resolver_upstreams_down"); n != 1 {
			return fmt.Errorf("%v upstreams are down, want 1", n)
		}
		return logHas(p, `"upstream":"`+dead.Addr().String()+`"`)
	})
}

func TestUpstreamsAreUnited(t *testing.T) {
	w := newWorld(t)
	other := dnstest.Start(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1")
	other.Set("www.example.com", shortTTL, "192.0.2.2")
	start(t, w.server.Kubeconfig, "--upstreams", w.dns.Addr().String()+",tcp://"+other.Addr().String()).ready()
	w.create("web", nil, rule(443, "www.example.com"))
	w.wantAllowed(443, "192.0.2.1", "192.0.2.2")
	if other.CountNet("udp", "") != 0 || other.CountNet("tcp", "www.example.com") == 0 {
		t.Error("tcp:// was not asked over TCP only")
	}
}

func TestOneQuestionForManyPolicies(t *testing.T) {
	w := newWorld(t)
	const ttl = 3
	w.dns.Set("www.example.com", dnstest.TTL(ttl*time.Second), "192.0.2.1")
	w.start()
	for i := range 50 {
		w.create(fmt.Sprintf("web%d", i), nil, rule(int32(1000+i), "www.example.com"))
	}
	for i := range 50 {
		w.wantAllowed(int32(1000+i), "192.0.2.1")
	}
	w.waitForQueries(3, "www.example.com", dns.TypeA)
	asked := w.dns.Queries("www.example.com", dns.TypeA)
	if span := asked[len(asked)-1].At.Sub(asked[0].At); float64(len(asked)-1) > span.Seconds()/ttl+1 {
		t.Errorf("%d questions in %s at a TTL of %d s", len(asked), span, ttl)
	}
}

// No endpoint of the cluster's DNS is there yet: the controller waits, says so, and lives.
func TestNoUpstreamYet(t *testing.T) {
	w := newWorld(t)
	p := start(t, w.server.Kubeconfig, "--upstreams", "cluster", "--cluster-dns-service", w.namespace+"/"+w.dnsService("late-dns")).ready()
	w.create("web", nil, rule(443, "www.example.com"))
	w.wantState("web", "www.example.com", v1alpha1.FQDNPending)
	w.wantCondition("web", v1alpha1.ConditionResolved, metav1.ConditionFalse, v1alpha1.ReasonPending)
	eventually(t, func() error { return logHas(p, "pstream") })
	if got := p.metric("fqdn_egress_resolver_upstreams"); got != 0 {
		t.Errorf("%v upstreams", got)
	}
	p.ready()
}

func TestEdge24_DNSRuleFollowsTheClusterDNS(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1")
	w.start("--cluster-dns-service", w.namespace+"/my-dns", "--cluster-dns", "169.254.20.10")
	w.create("web", nil, rule(443, "www.example.com"))
	message := w.wantCondition("web", v1alpha1.ConditionProgrammed, metav1.ConditionTrue, v1alpha1.ReasonProgrammed)
	if !strings.Contains(message, "my-dns") {
		t.Errorf("the message does not say that the Service is missing: %q", message)
	}
	if rule := w.networkPolicy("web-fqdn").Spec.Egress[0]; !selectsPods(rule, "kube-dns") {
		t.Errorf("not the convention: %+v", rule)
	}
	w.dnsService("my-dns")
	eventually(t, func() error {
		rule := w.networkPolicy("web-fqdn").Spec.Egress[0]
		if !selectsPods(rule, "my-dns") || !hasBlock(rule, "169.254.20.10/32") {
			return fmt.Errorf("the DNS rule: %+v", rule)
		}
		return nil
	})
	for _, port := range []int32{443, 80} {
		for _, addr := range w.allowed(port) {
			if addr == "169.254.20.10" {
				t.Errorf("the DNS address is open on port %d", port)
			}
		}
	}
	w.edit("web", func(s *v1alpha1.FQDNEgressPolicySpec) { s.ClusterDNS = v1alpha1.ClusterDNSOmit })
	eventually(t, func() error {
		for _, rule := range w.networkPolicy("web-fqdn").Spec.Egress {
			if hasBlock(rule, "169.254.20.10/32") || selectsPods(rule, "my-dns") {
				return fmt.Errorf("the DNS rule is still there: %+v", rule)
			}
		}
		return nil
	})
}

func selectsPods(r networkingv1.NetworkPolicyEgressRule, app string) bool {
	for _, p := range r.To {
		if p.PodSelector != nil && p.PodSelector.MatchLabels["k8s-app"] == app && p.NamespaceSelector != nil {
			return true
		}
	}
	return false
}

func hasBlock(r networkingv1.NetworkPolicyEgressRule, cidr string) bool {
	for _, p := range r.To {
		if p.IPBlock != nil && p.IPBlock.CIDR == cidr {
			return true
		}
	}
	return false
}

// dnsService makes a DNS Service without endpoints in the world's namespace.
func (w *world) dnsService(name string) string {
	w.t.Helper()
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
	service.Spec.Selector = map[string]string{"k8s-app": name}
	service.Spec.Ports = []corev1.ServicePort{
		{Name: "dns", Protocol: corev1.ProtocolUDP, Port: 53}, {Name: "dns-tcp", Protocol: corev1.ProtocolTCP, Port: 53},
	}
	if err := w.client.Create(w.t.Context(), service); err != nil {
		w.t.Fatal(err)
	}
	return name
}
