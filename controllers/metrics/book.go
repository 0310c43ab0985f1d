// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

// bookCollector shows how full the book is, read when it is asked.
type bookCollector struct{ book *addressbook.Book }

// Describe implements prometheus.Collector.
func (c bookCollector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect implements prometheus.Collector.
func (c bookCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.book.Stats()
	for _, m := range []struct {
		name, help string
		kind       prometheus.ValueType
		value      float64
	}{
		{"book_owners", "Policies that want names.", prometheus.GaugeValue, float64(s.Owners)},
		{"book_patterns", "Names and patterns that policies list; one that two policies list counts twice.", prometheus.GaugeValue, float64(s.Patterns)},
		{"book_names", "Distinct names that are known.", prometheus.GaugeValue, float64(s.Names)},
		{"book_questions", "Questions (name, family, upstream) that are known.", prometheus.GaugeValue, float64(s.Questions)},
		{"book_addresses", "Addresses that are kept, summed over the names.", prometheus.GaugeValue, float64(s.Addresses)},
		{"book_evicted_addresses_total", "Addresses that went because of --max-addresses-per-name.", prometheus.CounterValue, float64(s.Evicted)},
	} {
		desc := prometheus.NewDesc(prometheus.BuildFQName(namespace, "", m.name), m.help, nil, nil)
		ch <- prometheus.MustNewConstMetric(desc, m.kind, m.value)
	}
}
