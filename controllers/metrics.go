// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

const metricsNamespace = "fqdn_egress"

// The values of the label resource.
const (
	resourceNetworkPolicies = "networkpolicies"
	resourceStatus          = "fqdnegresspolicies/status"
)

// verbPatch is the value of the label verb for a status; those for a NetworkPolicy are of type netpol.Verb.
const verbPatch = "patch"

// The values of the label outcome.
const (
	outcomeOK       = "ok"
	outcomeConflict = "conflict"
	outcomeError    = "error"
)

// The values of the label limit.
const (
	limitWriteBudget      = "write_budget"
	limitPeers            = "peers_per_policy"
	limitAddressesPerName = "addresses_per_name"
)

// Metrics counts what the controllers do. No label ever holds the name of a host, a policy or a namespace.
type Metrics struct {
	writes *prometheus.CounterVec
	limit  *prometheus.CounterVec
	events *prometheus.CounterVec
	status *policyGauges
}

// NewMetrics makes the metrics and registers them, and those of the book and of the cluster's DNS, with r.
func NewMetrics(r prometheus.Registerer, book *addressbook.Book, dns ClusterDNS) *Metrics {
	m := &Metrics{
		writes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: metricsNamespace, Name: "writes_total",
			Help: "Writes to the API server, by resource (networkpolicies, fqdnegresspolicies/status), verb (create, update, " +
				"delete, patch) and outcome (ok, conflict, terminating: the namespace is being deleted, error).",
		}, []string{"resource", "verb", "outcome"}),
		limit: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: metricsNamespace, Name: "limits_hit_total",
			Help: "How often a limit held something back, by limit (write_budget, peers_per_policy, addresses_per_name).",
		}, []string{"limit"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: metricsNamespace, Name: "policy_events_total",
			Help: "Events emitted about policies, by reason (ResolutionFailed, ResolutionRecovered, AddressRefused, " +
				"WildcardsUnobserved, DNSUnavailable, Conflict, Contested, WriteFailed, LimitReached).",
		}, []string{"reason"}),
		status: newPolicyGauges(),
	}
	m.startAtZero()
	r.MustRegister(m.writes, m.limit, m.events, m.status, bookCollector{book}, newDNSGauge(dns))
	return m
}

// startAtZero makes the series that are known before anything happens, so that the first time is an increase too.
func (m *Metrics) startAtZero() {
	for _, limit := range []string{limitWriteBudget, limitPeers, limitAddressesPerName} {
		m.limit.WithLabelValues(limit)
	}
	for _, outcome := range []string{outcomeOK, outcomeConflict, outcomeError} {
		for _, verb := range []netpol.Verb{netpol.Create, netpol.Update, netpol.Delete} {
			m.writes.WithLabelValues(resourceNetworkPolicies, string(verb), outcome)
		}
		m.writes.WithLabelValues(resourceStatus, verbPatch, outcome)
	}
}

func (m *Metrics) wrote(resource, verb string, err error) {
	outcome := outcomeOK
	switch {
	case vanishes(err):
		outcome = "terminating"
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err), apierrors.IsNotFound(err):
		outcome = outcomeConflict
	case err != nil:
		outcome = outcomeError
	}
	m.writes.WithLabelValues(resource, verb, outcome).Inc()
}

func (m *Metrics) limitHit(limit string) { m.limit.WithLabelValues(limit).Inc() }

// limits counts the limits that bite in a status that was just written.
func (m *Metrics) limits(s addressbook.Snapshot, plan netpol.Plan) {
	if plan.LeftOut > 0 {
		m.limitHit(limitPeers)
	}
	if slices.ContainsFunc(s.Entries, func(e addressbook.Entry) bool { return e.Limit == addressbook.AddressesPerName }) {
		m.limitHit(limitAddressesPerName)
	}
}

func (m *Metrics) event(e event) { m.events.WithLabelValues(e.reason).Inc() }

// policyGauges counts policies by what their status says; one entry a policy, gone with it.
type policyGauges struct {
	policies, notReady, unresolved, refused *prometheus.Desc

	mu    sync.Mutex
	byKey map[types.NamespacedName]policyFigures
}

// policyFigures is what one policy adds to the gauges.
type policyFigures struct {
	ready      bool
	unresolved map[string]int // names without an allowed address, by reason; nil: none
	refused    int
}

func figuresOf(status v1alpha1.FQDNEgressPolicyStatus, plan netpol.Plan) policyFigures {
	f := policyFigures{ready: meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady)}
	for _, s := range status.FQDNs {
		if reason := unresolvedReason(s); reason != "" {
			if f.unresolved == nil {
				f.unresolved = map[string]int{}
			}
			f.unresolved[reason]++
		}
	}
	for _, refused := range plan.Refused {
		f.refused += len(refused)
	}
	return f
}

func newPolicyGauges() *policyGauges {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(metricsNamespace, "", name), help, labels, nil)
	}
	return &policyGauges{
		policies: desc("policies", "Policies that were reconciled."),
		notReady: desc("policies_not_ready", "Policies whose condition Ready is not True."),
		unresolved: desc("unresolved_names", "Names and patterns of policies that do not resolve to an address that may be allowed, by the reason that condition "+
			"Resolved gives (ResolutionFailed, AddressRefused, NameNotFound, Pending, WildcardsUnobserved). One that two policies list "+
			"counts twice.", "reason"),
		refused: desc("refused_addresses", "Addresses of current answers that the guard keeps out, summed over the policies."),
		byKey:   map[types.NamespacedName]policyFigures{},
	}
}

// Describe implements prometheus.Collector.
func (g *policyGauges) Describe(ch chan<- *prometheus.Desc) {
	ch <- g.policies
	ch <- g.notReady
	ch <- g.unresolved
	ch <- g.refused
}

// Collect implements prometheus.Collector.
func (g *policyGauges) Collect(ch chan<- prometheus.Metric) {
	g.mu.Lock()
	defer g.mu.Unlock()
	notReady, refused, unresolved := 0, 0, map[string]int{}
	for _, f := range g.byKey {
		for reason, n := range f.unresolved {
			unresolved[reason] += n
		}
		if !f.ready {
			notReady++
		}
		refused += f.refused
	}
	ch <- prometheus.MustNewConstMetric(g.policies, prometheus.GaugeValue, float64(len(g.byKey)))
	ch <- prometheus.MustNewConstMetric(g.notReady, prometheus.GaugeValue, float64(notReady))
	for _, reason := range unresolvedReasons() {
		ch <- prometheus.MustNewConstMetric(g.unresolved, prometheus.GaugeValue, float64(unresolved[reason]), reason)
	}
	ch <- prometheus.MustNewConstMetric(g.refused, prometheus.GaugeValue, float64(refused))
}

func (m *Metrics) observe(policy types.NamespacedName, f policyFigures) {
	m.status.mu.Lock()
	defer m.status.mu.Unlock()
	m.status.byKey[policy] = f
}

func (m *Metrics) forget(policy types.NamespacedName) {
	m.status.mu.Lock()
	defer m.status.mu.Unlock()
	delete(m.status.byKey, policy)
}
