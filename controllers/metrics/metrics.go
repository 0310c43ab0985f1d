// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package metrics counts what the controllers do. No label ever holds the name of a host, a policy or a namespace.
package metrics

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

const namespace = "fqdn_egress"

// The values of the label resource.
const (
	networkPolicies = "networkpolicies"
	status          = "fqdnegresspolicies/status"
)

// verbPatch is the value of the label verb for a status; those for a NetworkPolicy are of type netpol.Verb.
const verbPatch = "patch"

// Outcome is what became of a write; the value of the label outcome.
type Outcome string

// The outcomes.
const (
	OK          Outcome = "ok"
	Conflict    Outcome = "conflict"    // somebody wrote or deleted since we read
	Terminating Outcome = "terminating" // the namespace is being deleted, or is gone already
	Failed      Outcome = "error"
)

// OutcomeOf returns the outcome of a write that returned err.
func OutcomeOf(err error) Outcome {
	switch {
	case err == nil:
		return OK
	case isTerminating(err):
		return Terminating
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err), apierrors.IsNotFound(err):
		return Conflict
	}
	return Failed
}

func isTerminating(err error) bool {
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return true
	}
	var status apierrors.APIStatus
	return apierrors.IsNotFound(err) && errors.As(err, &status) &&
		status.Status().Details != nil && status.Status().Details.Kind == "namespaces"
}

// Limit is something that holds back what a policy wants; the value of the label limit.
type Limit string

// The limits.
const (
	// WriteBudget is how often the rules of one policy in one namespace are written.
	WriteBudget Limit = "write_budget"
	// BytesPerNamespace is how much is written into one namespace, and PoolBytesPerNamespace how much of that for wildcards
	// and names with very many addresses.
	BytesPerNamespace     Limit = "bytes_per_namespace"
	PoolBytesPerNamespace Limit = "pool_bytes_per_namespace"
	// BytesOfProcess is how much is written in all; it holds up only namespaces that use much of their own share.
	BytesOfProcess Limit = "bytes_of_process"

	// What is left out.
	PeersPerPolicy        Limit = "peers_per_policy"
	PeersPerNamespace     Limit = "peers_per_namespace"
	PeersOfProcess        Limit = "peers_of_process"
	AddressesPerName      Limit = "addresses_per_name"
	NamesPerNamespace     Limit = "names_per_namespace"
	AddressesPerNamespace Limit = "addresses_per_namespace"
	NamesOfProcess        Limit = "names_of_process"
	ListingsPerNamespace  Limit = "listings_per_namespace"
	ListingsOfProcess     Limit = "listings_of_process"
	AddressesOfProcess    Limit = "addresses_of_process"

	// CapturesPerNamespace is what is remembered of the pools that names rotate through.
	CapturesPerNamespace Limit = "captures_per_namespace"
)

// Limits returns all of them.
func Limits() []Limit {
	return []Limit{
		WriteBudget, BytesPerNamespace, PoolBytesPerNamespace, BytesOfProcess, PeersPerPolicy, PeersPerNamespace, PeersOfProcess,
		AddressesPerName, NamesPerNamespace, AddressesPerNamespace, NamesOfProcess, AddressesOfProcess,
		ListingsPerNamespace, ListingsOfProcess, CapturesPerNamespace,
	}
}

// Metrics counts what the controllers do. It is safe for concurrent use.
type Metrics struct {
	writes *prometheus.CounterVec
	limit  *prometheus.CounterVec
	events *prometheus.CounterVec
	status *policyGauges
}

// New makes the metrics and registers them, and those of the book and of the cluster's DNS, with r.
func New(r prometheus.Registerer, book *addressbook.Book, dns DNS) *Metrics {
	m := &Metrics{
		writes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "writes_total",
			Help: "Writes to the API server, by resource (networkpolicies, fqdnegresspolicies/status), verb (create, update, " +
				"delete, patch) and outcome (ok, conflict, terminating: the namespace is being deleted, error).",
		}, []string{"resource", "verb", "outcome"}),
		limit: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "limits_hit_total",
			Help: "How often a limit held something back, by limit (of writes: write_budget of a policy, bytes_per_namespace, " +
				"pool_bytes_per_namespace, bytes_of_process; of what is written: peers_per_policy, peers_per_namespace, peers_of_process, addresses_per_name, " +
				"names_per_namespace, addresses_per_namespace, names_of_process, addresses_of_process, listings_per_namespace, listings_of_process; of what is remembered of rotations: captures_per_namespace).",
		}, []string{"limit"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "policy_events_total",
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
	for _, limit := range Limits() {
		m.limit.WithLabelValues(string(limit))
	}
	for _, outcome := range []Outcome{OK, Conflict, Failed} {
		for _, verb := range []netpol.Verb{netpol.Create, netpol.Update, netpol.Delete} {
			m.writes.WithLabelValues(networkPolicies, string(verb), string(outcome))
		}
		m.writes.WithLabelValues(status, verbPatch, string(outcome))
	}
}

// Wrote counts a write of a NetworkPolicy that returned err.
func (m *Metrics) Wrote(verb netpol.Verb, err error) {
	m.writes.WithLabelValues(networkPolicies, string(verb), string(OutcomeOf(err))).Inc()
}

// WroteStatus counts a write of a status that returned err.
func (m *Metrics) WroteStatus(err error) {
	m.writes.WithLabelValues(status, verbPatch, string(OutcomeOf(err))).Inc()
}

// LimitHit counts that a limit held something back.
func (m *Metrics) LimitHit(limit Limit) { m.limit.WithLabelValues(string(limit)).Inc() }

// Event counts an event of that reason.
func (m *Metrics) Event(reason string) { m.events.WithLabelValues(reason).Inc() }
