// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/miekg/dns"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
)

// crowd is a namespace of policies that list the same name of 10 addresses, each at a port of its own.
type crowd struct {
	*world
	policies int
}

const crowdName = "large.example.com"

func newCrowd(w *world, policies int) crowd {
	var addrs []string
	for i := range 10 {
		addrs = append(addrs, fmt.Sprintf("192.0.2.%d", i+1))
	}
	w.dns.Set(crowdName, shortTTL, addrs...)
	return crowd{w, policies}
}

func (c crowd) name(i int) string { return fmt.Sprintf("crowd-%d", i) }
func (c crowd) port(i int) int32  { return 8000 + int32(i) }

// add creates the i-th policy. It has no DNS rule, so that peers are addresses.
func (c crowd) add(i int) {
	c.t.Helper()
	c.create(c.name(i), func(s *v1alpha1.FQDNEgressPolicySpec) { s.ClusterDNS = v1alpha1.ClusterDNSOmit }, rule(c.port(i), crowdName))
}

// all returns how many addresses all policies allow together, and each.
func (c crowd) all() (all int, each []int) {
	c.t.Helper()
	for i := range c.policies {
		n := len(c.allowed(c.port(i)))
		all, each = all+n, append(each, n)
	}
	return all, each
}

func (c crowd) wantEach(want ...int) {
	c.t.Helper()
	c.eventually(func() error {
		if _, each := c.all(); fmt.Sprint(each) != fmt.Sprint(want) {
			return fmt.Errorf("the policies allow %v addresses, want %v", each, want)
		}
		return nil
	})
}

func (c crowd) wantLeftOut(i, peers int) {
	c.t.Helper()
	message := c.wantCondition(c.name(i), v1alpha1.ConditionProgrammed, metav1.ConditionFalse, v1alpha1.ReasonLimitReached)
	if !strings.HasPrefix(message, fmt.Sprint(peers, " peers are left out")) || !strings.Contains(message, "--max-peers-per-namespace") {
		c.t.Errorf("policy %d says %q, want %d left out", i, message, peers)
	}
}

// TestInvariant12_PeersOfATenantAreBounded: however many policies list a large name, their NetworkPolicies have no more peers than the bound
// together, and those say so that lack some. Another tenant has all of its own. A restart takes nothing away and gives nobody more; who
// makes room gives it to those that wait.
func TestInvariant12_PeersOfATenantAreBounded(t *testing.T) {
	const bound = 35
	w := newWorld(t)
	flags := []string{"--max-peers-per-namespace", fmt.Sprint(bound)}
	p := w.start(flags...)
	c := newCrowd(w, 5)
	for i, want := range []int{10, 10, 10, 5, 0} {
		c.add(i)
		c.eventually(func() error {
			if got := len(c.allowed(c.port(i))); got != want || c.networkPolicy(c.name(i)+"-fqdn") == nil {
				return fmt.Errorf("policy %d allows %d addresses, want %d", i, got, want)
			}
			return nil
		})
	}
	for i := range 3 {
		c.wantCondition(c.name(i), v1alpha1.ConditionProgrammed, metav1.ConditionTrue, v1alpha1.ReasonProgrammed)
	}
	c.wantLeftOut(3, 5)
	c.wantLeftOut(4, 10)
	c.wantEvent(c.name(4), "LimitReached")
	if p.metric("fqdn_egress_limits_hit_total", "peers_per_namespace") == 0 || p.metric("fqdn_egress_namespaces_limited", "peers_per_namespace") != 1 {
		t.Error("the metrics do not tell that the limit bites")
	}
	other := crowd{w.otherTenant(), 1}
	other.add(0)
	other.wantEach(10)
	other.wantCondition(other.name(0), v1alpha1.ConditionProgrammed, metav1.ConditionTrue, v1alpha1.ReasonProgrammed)

	var stays []func()
	for i := range c.policies {
		stays = append(stays, c.alwaysAllowed(c.port(i), c.allowed(c.port(i))...))
	}
	p.kill()
	w.start(flags...)
	c.within(longPatience).waitForQueries(3, crowdName, dns.TypeA)
	c.forceWrite(c.name(4)) // its look comes after the start, as those of the others do
	c.forceWrite(c.name(3))
	c.wantEach(10, 10, 10, 5, 0)
	for _, stop := range stays {
		stop()
	}

	// What the first gives back goes to those that wait before its new name is answered, which then waits as well.
	w.dns.Set("small.example.com", shortTTL, "198.51.100.1")
	c.edit(c.name(0), func(s *v1alpha1.FQDNEgressPolicySpec) {
		s.Egress = []v1alpha1.EgressRule{rule(c.port(0), "small.example.com")}
	})
	c.eventually(func() error {
		if all, each := c.all(); all != bound || each[0] > 1 {
			return fmt.Errorf("%v addresses are allowed, want %d in all", each, bound)
		}
		return nil
	})
	c.edit(c.name(1), func(s *v1alpha1.FQDNEgressPolicySpec) {
		s.Egress = []v1alpha1.EgressRule{rule(c.port(1), "small.example.com")}
	})
	c.wantEach(1, 1, 10, 10, 10)
	c.wantCondition(c.name(4), v1alpha1.ConditionProgrammed, metav1.ConditionTrue, v1alpha1.ReasonProgrammed)
}
