// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package docgen

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Catalog is a prometheus.Registerer that only remembers what was registered. Unlike a registry it also knows of
// metrics that were never counted. The zero value is ready.
type Catalog struct{ collectors []prometheus.Collector }

var _ prometheus.Registerer = (*Catalog)(nil)

// Register implements prometheus.Registerer.
func (c *Catalog) Register(collector prometheus.Collector) error {
	c.collectors = append(c.collectors, collector)
	return nil
}

// MustRegister implements prometheus.Registerer.
func (c *Catalog) MustRegister(collectors ...prometheus.Collector) {
	c.collectors = append(c.collectors, collectors...)
}

// Unregister implements prometheus.Registerer; it forgets nothing.
func (c *Catalog) Unregister(prometheus.Collector) bool { return false }

// metric is a line of the page.
type metric struct{ name, kind, labels, help string }

// Page is the page of all metrics, by name.
func (c *Catalog) Page() (string, error) {
	var metrics []metric
	for _, collector := range c.collectors {
		of, err := metricsOf(collector)
		if err != nil {
			return "", err
		}
		metrics = append(metrics, of...)
	}
	slices.SortFunc(metrics, func(a, b metric) int { return cmp.Compare(a.name, b.name) })
	var page strings.Builder
	fmt.Fprintf(&page, "%s# Metrics\n\n| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n", generated)
	for _, m := range metrics {
		fmt.Fprintf(&page, "| `%s` | %s | %s | %s |\n", m.name, m.kind, m.labels, cell(m.help))
	}
	return page.String(), nil
}

func metricsOf(c prometheus.Collector) ([]metric, error) {
	kinds := kindsOf(c)
	var metrics []metric
	for desc := range received(c.Describe) {
		m, err := parse(desc)
		if err != nil {
			return nil, err
		}
		if m.kind = vectorKind(c); m.kind == "" {
			m.kind = kinds[desc.String()]
		}
		if m.kind == "" {
			return nil, fmt.Errorf("%s has no type: %T collects nothing for it", m.name, c)
		}
		metrics = append(metrics, m)
	}
	return metrics, nil
}

// received returns what send sends.
func received[T any](send func(chan<- T)) <-chan T {
	ch := make(chan T)
	go func() {
		defer close(ch)
		send(ch)
	}()
	return ch
}

// vectorKind is the type of a vector, which collects nothing before it was counted.
func vectorKind(c prometheus.Collector) string {
	switch c.(type) {
	case *prometheus.CounterVec:
		return "counter"
	case *prometheus.GaugeVec:
		return "gauge"
	case *prometheus.HistogramVec:
		return "histogram"
	}
	return ""
}

// kindsOf returns the types of what c collects, by description.
func kindsOf(c prometheus.Collector) map[string]string {
	kinds := map[string]string{}
	for m := range received(c.Collect) {
		var sample dto.Metric
		if err := m.Write(&sample); err != nil {
			continue // it is missing in the map then, which metricsOf reports
		}
		switch {
		case sample.Counter != nil:
			kinds[m.Desc().String()] = "counter"
		case sample.Gauge != nil:
			kinds[m.Desc().String()] = "gauge"
		case sample.Histogram != nil:
			kinds[m.Desc().String()] = "histogram"
		}
	}
	return kinds
}

// parse reads the text form of a description, the only one that the library gives out.
func parse(desc *prometheus.Desc) (metric, error) {
	form := regexp.MustCompile(`^Desc\{fqName: ("(?:[^"\\]|\\.)*"), help: ("(?:[^"\\]|\\.)*"), .*variableLabels: \{(.*)\}\}$`)
	parts := form.FindStringSubmatch(desc.String())
	if parts == nil {
		return metric{}, fmt.Errorf("unknown form of a description: %s", desc)
	}
	name, err := strconv.Unquote(parts[1])
	if err != nil {
		return metric{}, fmt.Errorf("name in %s: %w", desc, err)
	}
	help, err := strconv.Unquote(parts[2])
	if err != nil {
		return metric{}, fmt.Errorf("help in %s: %w", desc, err)
	}
	return metric{name: name, labels: strings.ReplaceAll(parts[3], ",", ", "), help: help}, nil
}
