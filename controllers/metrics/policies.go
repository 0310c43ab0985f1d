// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
)

// policyGauges counts policies by what their status says. A policy that is gone is not counted any more.
type policyGauges struct {
	policies, notReady, unresolved, refused, limited *prometheus.Desc

	mu    sync.Mutex
	byKey map[types.NamespacedName]*Policy
	ready *Policy // with which all is well: one for most policies
}

// Policy is what one policy adds to the gauges.
type Policy struct {
	Ready bool
	// Unresolved counts the names without an allowed address by reason; nil: there are none.
	Unresolved map[string]int
	// Refused counts the addresses of current answers that the guard keeps out.
	Refused int
	// Limits are the limits that hold back something of it; nil: none does.
	Limits []Limit
}

// UnresolvedReasons are the reasons why a name does not resolve to an address that may be allowed, the worst first.
func UnresolvedReasons() []string {
	return []string{
		v1alpha1.ReasonResolutionFailed,
		v1alpha1.ReasonAddressRefused,
		v1alpha1.ReasonNameNotFound,
		v1alpha1.ReasonPending,
		v1alpha1.ReasonWildcardsUnobserved,
	}
}

func newPolicyGauges() *policyGauges {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
	}
	return &policyGauges{
		policies: desc("policies", "Policies that were reconciled."),
		notReady: desc("policies_not_ready", "Policies whose condition Ready is not True."),
		unresolved: desc("unresolved_names", "Names and patterns of policies that do not resolve to an address that may be allowed, by the reason that condition "+
			"Resolved gives (ResolutionFailed, AddressRefused, NameNotFound, Pending, WildcardsUnobserved). One that two policies list "+
			"counts twice.", "reason"),
		refused: desc("refused_addresses", "Addresses of current answers that the guard keeps out, summed over the policies."),
		limited: desc("namespaces_limited", "Namespaces of which a limit holds something back now, by limit (the values of limits_hit_total). Which ones "+
			"they are the status of their policies says.", "limit"),
		byKey: map[types.NamespacedName]*Policy{},
		ready: &Policy{Ready: true},
	}
}

// Describe implements prometheus.Collector.
func (g *policyGauges) Describe(ch chan<- *prometheus.Desc) {
	ch <- g.policies
	ch <- g.notReady
	ch <- g.unresolved
	ch <- g.refused
	ch <- g.limited
}

// Collect implements prometheus.Collector.
func (g *policyGauges) Collect(ch chan<- prometheus.Metric) {
	g.mu.Lock()
	defer g.mu.Unlock()
	notReady, refused, unresolved := 0, 0, map[string]int{}
	limited := map[Limit]map[string]bool{} // the namespaces of each
	for policy, f := range g.byKey {
		for _, l := range f.Limits {
			if limited[l] == nil {
				limited[l] = map[string]bool{}
			}
			limited[l][policy.Namespace] = true
		}
		for reason, n := range f.Unresolved {
			unresolved[reason] += n
		}
		if !f.Ready {
			notReady++
		}
		refused += f.Refused
	}
	ch <- prometheus.MustNewConstMetric(g.policies, prometheus.GaugeValue, float64(len(g.byKey)))
	ch <- prometheus.MustNewConstMetric(g.notReady, prometheus.GaugeValue, float64(notReady))
	for _, reason := range UnresolvedReasons() {
		ch <- prometheus.MustNewConstMetric(g.unresolved, prometheus.GaugeValue, float64(unresolved[reason]), reason)
	}
	ch <- prometheus.MustNewConstMetric(g.refused, prometheus.GaugeValue, float64(refused))
	for _, l := range Limits() {
		ch <- prometheus.MustNewConstMetric(g.limited, prometheus.GaugeValue, float64(len(limited[l])), string(l))
	}
}

// Observe takes what one policy adds to the gauges, in place of what it added before.
func (m *Metrics) Observe(policy types.NamespacedName, p Policy) {
	m.status.mu.Lock()
	defer m.status.mu.Unlock()
	if p.Ready && len(p.Unresolved) == 0 && p.Refused == 0 && len(p.Limits) == 0 {
		m.status.byKey[policy] = m.status.ready
		return
	}
	m.status.byKey[policy] = &p
}

// Forget takes a policy out of the gauges.
func (m *Metrics) Forget(policy types.NamespacedName) {
	m.status.mu.Lock()
	defer m.status.mu.Unlock()
	delete(m.status.byKey, policy)
}
