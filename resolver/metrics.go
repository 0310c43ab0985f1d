// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fqdn-egress/fqdn-egress/internal/dnsclient"
	"github.com/fqdn-egress/fqdn-egress/internal/dnsmsg"
)

const namespace = "fqdn_egress"

// metrics has no label for names or upstreams: both are unbounded over time.
type metrics struct {
	resolutions *prometheus.CounterVec
	duration    prometheus.Histogram
	lag         prometheus.Histogram
	names       prometheus.Gauge
	questions   prometheus.Gauge
	upstreams   prometheus.Gauge
	down        prometheus.Gauge
	unasked     prometheus.Gauge
	named       prometheus.Gauge
	unlocked    prometheus.Gauge
	crowded     prometheus.Gauge
	budgetWaits prometheus.Counter
	discarded   prometheus.Counter
}

// outcomeOther is any failure that has no outcome of its own.
const outcomeOther = "other"

// outcomes are all values of the outcome label.
func outcomes() []string {
	return []string{"good", "nodata", "nxdomain", "servfail", "refused", "timeout", outcomeOther}
}

func newMetrics() *metrics {
	m := &metrics{
		resolutions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "resolutions_total",
			Help: "Questions that were asked, by outcome: good, nodata and nxdomain are answers; servfail, refused, timeout and other are failures.",
		}, []string{"outcome"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "resolution_seconds",
			Help:    "Time from a question to its answer or failure, with retries.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2, 4},
		}),
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "refresh_lag_seconds",
			Help:    "Time from when an answer was due to be refreshed until a good answer came, with failures between.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}),
		names:       gauge("resolver_names", "Names that are asked for."),
		questions:   gauge("resolver_questions", "Questions that are kept fresh: names times families times upstreams."),
		upstreams:   gauge("resolver_upstreams", "DNS servers that are asked. 0: nothing can be resolved."),
		down:        gauge("resolver_upstreams_down", "Those of them that give no good answer to anything."),
		unasked:     gauge("resolver_cluster_endpoints_unasked", "Endpoints of the cluster's DNS that are not asked, because there are more than 64, or too many for the names there are."),
		named:       gauge("resolver_policy_upstreams", "DNS servers that are asked beside these, because policies name them."),
		unlocked:    gauge("resolver_questions_unlocked", "Questions whose answers rotate while their upstream does not count TTLs down, so that what pods are told next may be seen late."),
		crowded:     gauge("resolver_cluster_cache_crowded", "1 while more names are asked through the cluster's DNS than its cache has room for beside the pods'."),
		budgetWaits: counter("resolver_budget_waits_total", "Times that questions began to wait because the query budget of an upstream was used up."),
		discarded:   counter("resolver_discarded_messages_total", "Messages that were no answer to our question: another ID, another question or garbage."),
	}
	for _, outcome := range outcomes() {
		m.resolutions.WithLabelValues(outcome)
	}
	return m
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help})
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
}

func (m *metrics) register(r prometheus.Registerer) error {
	for _, c := range []prometheus.Collector{
		m.resolutions, m.duration, m.lag, m.names, m.questions, m.upstreams, m.down, m.unasked, m.named, m.unlocked, m.crowded, m.budgetWaits, m.discarded,
	} {
		if err := r.Register(c); err != nil {
			return fmt.Errorf("registering resolver metrics: %w", err)
		}
	}
	return nil
}

func (m *metrics) observe(res result) {
	m.resolutions.WithLabelValues(outcome(res)).Inc()
	m.duration.Observe(res.answered.Sub(res.sent).Seconds())
}

// observeLag takes the time at which an answer was due; zero: there was none before.
func (m *metrics) observeLag(due, answered time.Duration) {
	if due != 0 {
		m.lag.Observe(max(answered-due, 0).Seconds())
	}
}

func (m *metrics) setCrowded(crowded bool) {
	m.crowded.Set(float64(boolToInt(crowded)))
}

func outcome(res result) string {
	if res.err == nil {
		return answerOutcome(res.Outcome)
	}
	switch dnsclient.ReasonOf(res.err) {
	case "SERVFAIL":
		return "servfail"
	case "REFUSED":
		return "refused"
	case dnsclient.ReasonTimeout:
		return "timeout"
	}
	return outcomeOther
}

func answerOutcome(o dnsmsg.Outcome) string {
	switch o {
	case dnsmsg.NoData:
		return "nodata"
	case dnsmsg.NXDomain:
		return "nxdomain"
	case dnsmsg.Good:
	}
	return "good"
}
