// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package docgen

import (
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

func TestFlags(t *testing.T) {
	fs := flag.NewFlagSet("program", flag.ContinueOnError)
	fs.Duration("wait", 5*time.Second, "How long, or\nlonger: a|b.")
	fs.String("file", "", "Which `path` to read.")
	want := generated + "# Flags of program\n\n| flag | default | meaning |\n| --- | --- | --- |\n" +
		"| `--file` | none | Which path to read. |\n" +
		"| `--wait` | `5s` | How long, or longer: a\\|b. |\n"
	if diff := cmp.Diff(want, Flags(fs)); diff != "" {
		t.Error(diff)
	}
}

func TestPageListsWhatWasNeverCounted(t *testing.T) {
	var c Catalog
	c.MustRegister(
		prometheus.NewCounterVec(prometheus.CounterOpts{Name: "writes_total", Help: `Writes, "all" of them.`}, []string{"verb", "outcome"}),
		prometheus.NewHistogram(prometheus.HistogramOpts{Name: "lag_seconds", Help: "Lag."}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "names", Help: "Names."}, func() float64 { return 1 }),
	)
	page, err := c.Page()
	if err != nil {
		t.Fatal(err)
	}
	want := "| `lag_seconds` | histogram |  | Lag. |\n" +
		"| `names` | gauge |  | Names. |\n" +
		"| `writes_total` | counter | verb, outcome | Writes, \"all\" of them. |\n"
	if !strings.HasSuffix(page, "| --- |\n"+want) {
		t.Errorf("got\n%s\nwant at the end\n%s", page, want)
	}
}

func TestPageRefusesAMetricOfUnknownType(t *testing.T) {
	var c Catalog
	c.MustRegister(silent{})
	if page, err := c.Page(); err == nil {
		t.Errorf("a page without the type of a metric:\n%s", page)
	}
}

// silent describes a metric and collects none.
type silent struct{}

func (silent) Describe(ch chan<- *prometheus.Desc) {
	ch <- prometheus.NewDesc("silent", "Never there.", nil, nil)
}

func (silent) Collect(chan<- prometheus.Metric) {}
