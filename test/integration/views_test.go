// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

// anyUpstream lets policies name servers outside of the cluster.
var anyUpstream = []string{"--policy-upstreams", "any"}

// startElsewhere starts a server that a policy may name: at an address of this machine that is not loopback.
func startElsewhere(t *testing.T, options ...dnstest.Option) *dnstest.Server {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		block, err := netip.ParsePrefix(a.String())
		if err != nil || block.Addr().IsLoopback() || block.Addr().IsLinkLocalUnicast() {
			continue
		}
		s, err := dnstest.New(netip.AddrPortFrom(block.Addr(), 0).String(), options...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	t.Fatalf("this machine has only %v: these tests need an address beside loopback, which no policy may name (ip addr add 192.0.2.2/32 dev lo)", addrs)
	return nil
}

// asking sets spec.upstreams.
func asking(servers ...*dnstest.Server) func(*v1alpha1.FQDNEgressPolicySpec) {
	return func(s *v1alpha1.FQDNEgressPolicySpec) {
		s.Upstreams = nil
		for _, server := range servers {
			s.Upstreams = append(s.Upstreams, v1alpha1.Upstream(server.Addr().String()))
		}
	}
}

// TestSplitHorizon: two policies list one name and ask different servers. Each opens what its own server says, and never
// what the other one does, which may be a tenant's.
func TestSplitHorizon(t *testing.T) {
	w := newWorld(t)
	inside := startElsewhere(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1")
	inside.Set("www.example.com", shortTTL, "198.51.100.1")
	w.start(anyUpstream...)
	stop := w.watchAlways(func(nps []networkingv1.NetworkPolicy) error {
		if outer, inner := allowedBy(nps, 443), allowedBy(nps, 8443); slices.ContainsFunc(outer, isInside) ||
			slices.ContainsFunc(inner, func(a string) bool { return !isInside(a) }) {
			return fmt.Errorf("allowed on 443 %v, on 8443 %v", outer, inner)
		}
		return nil
	})
	w.create("web", nil, rule(443, "www.example.com"))
	w.create("intranet", asking(inside), rule(8443, "www.example.com"))
	w.wantAllowed(443, "192.0.2.1")
	w.wantAllowed(8443, "198.51.100.1")

	inside.Set("www.example.com", shortTTL, "198.51.100.2")
	w.wantAllowed(8443, "198.51.100.1", "198.51.100.2")
	w.wantAllowed(443, "192.0.2.1")
	inside.Break("", dnstest.Drop())
	w.wantState("intranet", "www.example.com", v1alpha1.FQDNStale)
	w.wantState("web", "www.example.com", v1alpha1.FQDNResolved)
	w.wantAllowed(8443, "198.51.100.1", "198.51.100.2")
	stop()
}

func isInside(addr string) bool { return strings.HasPrefix(addr, "198.51.100.") }

// TestOwnUpstreams_ChangeTakesNothingAwayEarly: a policy that turns to another server keeps what it has until that one has
// answered and retention is over, as at a restart.
func TestOwnUpstreams_ChangeTakesNothingAwayEarly(t *testing.T) {
	w := newWorld(t)
	silent := startElsewhere(t)
	silent.Break("", dnstest.Drop())
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1")
	w.start(append(anyUpstream, "--retention", "2s")...)
	w.create("web", nil, rule(443, "www.example.com"))
	w.wantAllowed(443, "192.0.2.1")

	stop := w.alwaysAllowed(443, "192.0.2.1")
	w.edit("web", asking(silent))
	w.waitForQueriesTo(silent, 3, "www.example.com", dns.TypeA)
	w.wantState("web", "www.example.com", v1alpha1.FQDNStale)
	silent.Set("www.example.com", shortTTL, "198.51.100.1")
	silent.Heal("")
	w.wantAllowed(443, "192.0.2.1", "198.51.100.1")
	stop()
	w.waitForQueriesTo(silent, 5, "www.example.com", dns.TypeA) // a TTL apart each: retention is over
	silent.Set("www.example.com", shortTTL, "198.51.100.2")     // what is due goes with a write
	w.wantAllowed(443, "198.51.100.1", "198.51.100.2")
}

// TestOwnUpstreams_Refused: no server is asked unless the flag says so, and the status says it.
func TestOwnUpstreams_Refused(t *testing.T) {
	w := newWorld(t)
	inside := startElsewhere(t)
	inside.Set("www.example.com", shortTTL, "198.51.100.1")
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1")
	w.start()
	w.create("intranet", asking(inside), rule(8443, "www.example.com"))
	w.create("web", nil, rule(443, "www.example.com"))
	w.wantAllowed(443, "192.0.2.1")
	status := w.wantState("intranet", "www.example.com", v1alpha1.FQDNFailing)
	if want := "not allowed by --policy-upstreams (ask whoever runs the controller, or leave upstreams out) for A and AAAA from " +
		inside.Addr().String(); status.Message != want {
		t.Errorf("message %q, want %q", status.Message, want)
	}
	w.wantCondition("intranet", v1alpha1.ConditionResolved, metav1.ConditionFalse, v1alpha1.ReasonResolutionFailed)
	w.wantCondition("intranet", v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonDNSUnavailable)
	if got := w.allowed(8443); len(got) > 0 || inside.CountNet("udp", "")+inside.CountNet("tcp", "") > 0 {
		t.Errorf("allowed %v, asked %d times", got, inside.CountNet("udp", ""))
	}
}

// TestOwnUpstreams_NeverTheCluster: whatever the flag allows, no policy has the controller look which ports of the cluster,
// or of the controller itself, answer. What it may name is asked.
func TestOwnUpstreams_NeverTheCluster(t *testing.T) {
	w := newWorld(t)
	inside := startElsewhere(t)
	inside.Set("www.example.com", shortTTL, "198.51.100.1")
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1")
	w.start("--policy-upstreams", "0.0.0.0/0,::/0")
	refused := []string{
		"tcp://10.0.0.1:443", // the API server: envtest's Service range is 10.0.0.0/24
		w.dns.Addr().String(), "169.254.169.254:80",
	}
	for i, upstream := range refused {
		name := fmt.Sprintf("probe-%d", i)
		w.create(name, func(s *v1alpha1.FQDNEgressPolicySpec) { s.Upstreams = []v1alpha1.Upstream{v1alpha1.Upstream(upstream)} },
			rule(8443, "www.example.com"))
		status := w.wantState(name, "www.example.com", v1alpha1.FQDNFailing)
		if !strings.HasPrefix(status.Message, "not asked for any policy (") || !strings.HasSuffix(status.Message, " for A and AAAA from "+upstream) {
			t.Errorf("%s: message %q", upstream, status.Message)
		}
	}
	w.create("intranet", asking(inside), rule(9443, "www.example.com"))
	w.wantAllowed(9443, "198.51.100.1")
	if got := w.allowed(8443); len(got) > 0 || w.dns.Count("") > 0 {
		t.Errorf("allowed %v, asked %d times", got, w.dns.Count(""))
	}
}
