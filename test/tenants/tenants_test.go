// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package tenants

import (
	"context"
	"testing"
	"time"

	"github.com/miekg/dns"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

const patience = 10 * time.Second

func newClient(t *testing.T) client.WithWatch {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	return fake.NewClientBuilder().WithScheme(scheme).Build()
}

func hostsIn(t *testing.T, c client.Client, namespace string) (hosts map[string]bool, policies int) {
	t.Helper()
	list := &v1alpha1.FQDNEgressPolicyList{}
	if err := c.List(t.Context(), list, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	hosts = map[string]bool{}
	for _, p := range list.Items {
		for _, peer := range p.Spec.Egress[0].To {
			hosts[string(peer.FQDN)] = true
		}
	}
	return hosts, len(list.Items)
}

func TestNoisyTenantsListWhatTheySay(t *testing.T) {
	c, server := newClient(t), dnstest.Start(t)
	for _, tc := range []struct {
		noisy           Noisy
		policies, hosts int
		answer          func(*dns.Msg) bool // nil: there is none
	}{
		{Hungry(3, 4), 3, 12, func(m *dns.Msg) bool { return len(m.Answer) == 1 && m.Answer[0].Header().Ttl == 0 }},
		{BlackHole(2, 5), 2, 10, nil},
		{EverNew(2, 3, 20), 2, 6, func(m *dns.Msg) bool { return len(m.Answer) == 20 && m.Answer[0].Header().Ttl == 1 }},
		{Dead(2, 2), 2, 4, func(m *dns.Msg) bool { return m.Rcode == dns.RcodeServerFailure }},
	} {
		noise, err := tc.noisy.Start(t.Context(), c, server)
		if err != nil {
			t.Fatal(err)
		}
		hosts, policies := hostsIn(t, c, noise.Namespace)
		if policies != tc.policies || len(hosts) != tc.hosts {
			t.Errorf("%s: %d policies and %d hosts", tc.noisy.Says, policies, len(hosts))
		}
		for host := range hosts {
			exchange := dns.Client{Net: "tcp", Timeout: patience}
			if tc.answer == nil {
				exchange.Timeout = 50 * time.Millisecond
			}
			m, _, err := exchange.Exchange(new(dns.Msg).SetQuestion(dns.Fqdn(host), dns.TypeAAAA), server.Addr().String())
			if (err == nil) != (tc.answer != nil) || err == nil && !tc.answer(m) {
				t.Errorf("%s: %v, %v", tc.noisy.Says, m, err)
			}
			break
		}
		if err := noise.Stop(); err != nil {
			t.Error(err)
		}
		if _, policies := hostsIn(t, c, noise.Namespace); policies != 0 {
			t.Errorf("%s: %d policies stay", tc.noisy.Says, policies)
		}
	}
}

func TestChurnReplacesAllNames(t *testing.T) {
	c, server := newClient(t), dnstest.Start(t)
	noise, err := Churn(5, 10*time.Millisecond).Start(t.Context(), c, server)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for end := time.Now().Add(patience); len(seen) < 15; {
		hosts, policies := hostsIn(t, c, noise.Namespace)
		if policies != 1 || len(hosts) != 5 {
			t.Fatalf("%d policies and %d hosts", policies, len(hosts))
		}
		for host := range hosts {
			seen[host] = true
		}
		if time.Now().After(end) {
			t.Fatalf("only %d names in all", len(seen))
		}
	}
	if err := noise.Stop(); err != nil {
		t.Error(err)
	}
}

// obedient writes at once the NetworkPolicy that a policy wants, by what the server says, and follows its names.
func obedient(ctx context.Context, t *testing.T, c client.WithWatch, server *dnstest.Server) {
	t.Helper()
	policies, err := c.Watch(ctx, &v1alpha1.FQDNEgressPolicyList{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(policies.Stop)
	go func() {
		for event := range policies.ResultChan() {
			if p, ok := event.Object.(*v1alpha1.FQDNEgressPolicy); ok && event.Type == watch.Added {
				go follow(ctx, c, server, p)
			}
		}
	}()
}

func follow(ctx context.Context, c client.Client, server *dnstest.Server, p *v1alpha1.FQDNEgressPolicy) {
	np := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name + "-fqdn"}}
	for ; ctx.Err() == nil; time.Sleep(time.Millisecond) {
		rule := networkingv1.NetworkPolicyEgressRule{}
		for _, port := range p.Spec.Egress[0].Ports {
			rule.Ports = append(rule.Ports, networkingv1.NetworkPolicyPort{Port: port.Port})
		}
		for _, peer := range p.Spec.Egress[0].To {
			m, err := dns.Exchange(new(dns.Msg).SetQuestion(dns.Fqdn(string(peer.FQDN)), dns.TypeA), server.Addr().String())
			if err != nil {
				continue
			}
			for _, rr := range m.Answer {
				block := &networkingv1.IPBlock{CIDR: rr.(*dns.A).A.String() + "/32"}
				rule.To = append(rule.To, networkingv1.NetworkPolicyPeer{IPBlock: block})
			}
		}
		np.Spec.Egress = []networkingv1.NetworkPolicyEgressRule{rule}
		if np.ResourceVersion == "" {
			_ = c.Create(ctx, np)
		} else {
			_ = c.Update(ctx, np)
		}
	}
}

func TestANeighbourMeasuresFromTheEndOfTheOldAnswer(t *testing.T) {
	c, server := newClient(t), dnstest.Start(t, dnstest.CacheLike())
	obedient(t.Context(), t, c, server)
	n, err := NewNeighbour(t.Context(), c, server, patience)
	if err != nil {
		t.Fatal(err)
	}
	waits, err := n.Look(t.Context(), 2, patience)
	if err != nil {
		t.Fatal(err)
	}
	if len(waits.Followed) != 2 || len(waits.Completed) != 2 || waits.Followed[0] < 0 {
		t.Errorf("%+v", waits)
	}
	if healed, err := n.Healed(t.Context(), 20*time.Millisecond, patience); err != nil || healed <= 0 {
		t.Errorf("healed after %s, %v", healed, err)
	}
	if err := n.Stop(); err != nil {
		t.Error(err)
	}
}
