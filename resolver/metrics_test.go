// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/dnsmsg"
)

func TestMetrics_AreClean(t *testing.T) {
	registry := prometheus.NewRegistry()
	o := Options{Registerer: registry}
	if _, err := New(newWorld(t, nil), Static(), o); err != nil {
		t.Fatal(err)
	}
	problems, err := testutil.GatherAndLint(registry)
	if err != nil || len(problems) != 0 {
		t.Errorf("promlint: %v, %v", problems, err)
	}
	if n, err := testutil.GatherAndCount(registry); err != nil || n != len(outcomes())+12 {
		t.Errorf("%d series, %v", n, err)
	}
	if _, err := New(newWorld(t, nil), Static(), o); err == nil {
		t.Error("registered twice")
	}
}

func TestMetrics_CountOutcomes(t *testing.T) {
	registry := prometheus.NewRegistry()
	respond := func(a asked) reply {
		switch {
		case strings.HasPrefix(a.Question, "good"):
			return reply{ttl: 10}
		case strings.HasPrefix(a.Question, "empty"):
			return reply{text: "-- example.com. 30 IN SOA ns.example.com. admin.example.com. 1 3600 600 86400 30"}
		case strings.HasPrefix(a.Question, "late") && a.At < 5*time.Second:
			return reply{ttl: 3}
		}
		return reply{err: errServfail}
	}
	o := onlyIPv4
	o.Registerer = registry
	bubble(t, o, []string{"good.example.com", "empty.example.com", "late.example.com"}, []string{up1}, respond, func(w *world) {
		w.at(9 * time.Second)
		w.setReply(always(reply{ttl: 100}))
		w.at(20 * time.Second)
		want := `# HELP fqdn_egress_resolutions_total Questions that were asked, by outcome: good, nodata and nxdomain are answers; servfail, refused, timeout and other are failures.
# TYPE fqdn_egress_resolutions_total counter
fqdn_egress_resolutions_total{outcome="good"} 5
fqdn_egress_resolutions_total{outcome="nodata"} 1
fqdn_egress_resolutions_total{outcome="nxdomain"} 0
fqdn_egress_resolutions_total{outcome="other"} 0
fqdn_egress_resolutions_total{outcome="refused"} 0
fqdn_egress_resolutions_total{outcome="servfail"} 2
fqdn_egress_resolutions_total{outcome="timeout"} 0
# HELP fqdn_egress_resolver_names Names that are asked for.
# TYPE fqdn_egress_resolver_names gauge
fqdn_egress_resolver_names 3
# HELP fqdn_egress_resolver_questions Questions that are kept fresh: names times families times upstreams.
# TYPE fqdn_egress_resolver_questions gauge
fqdn_egress_resolver_questions 3
# HELP fqdn_egress_resolver_upstreams DNS servers that are asked. 0: nothing can be resolved.
# TYPE fqdn_egress_resolver_upstreams gauge
fqdn_egress_resolver_upstreams 1
`
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "fqdn_egress_resolutions_total",
			"fqdn_egress_resolver_names", "fqdn_egress_resolver_questions", "fqdn_egress_resolver_upstreams"); err != nil {
			t.Error(err)
		}
		lag := histogram(t, registry, "fqdn_egress_refresh_lag_seconds")
		// late was due at 6, failed at 6 and 7.25, and was good again at 9.75; good was on time at 10; late at 3 too.
		if diff := cmp.Diff("3 samples, 3.75 s", lag); diff != "" {
			t.Error(diff)
		}
		w.setUpstreams()
		want = `# HELP fqdn_egress_resolver_questions Questions that are kept fresh: names times families times upstreams.
# TYPE fqdn_egress_resolver_questions gauge
fqdn_egress_resolver_questions 0
`
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "fqdn_egress_resolver_questions"); err != nil {
			t.Error(err)
		}
	})
}

func histogram(t *testing.T, g prometheus.Gatherer, name string) string {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			h := f.GetMetric()[0].GetHistogram()
			return fmt.Sprintf("%d samples, %v s", h.GetSampleCount(), h.GetSampleSum())
		}
	}
	return "no metric"
}

func TestOutcome_IsBounded(t *testing.T) {
	bounded := map[string]bool{}
	for _, o := range outcomes() {
		bounded[o] = true
	}
	got := map[string]string{}
	for name, res := range map[string]result{
		"good":     {},
		"nodata":   {Reading: dnsmsg.Reading{Answer: dnsmsg.Answer{Outcome: dnsmsg.NoData}}},
		"nxdomain": {Reading: dnsmsg.Reading{Answer: dnsmsg.Answer{Outcome: dnsmsg.NXDomain}}},
		"servfail": {err: &dnsmsg.Error{Reason: "SERVFAIL"}},
		"refused":  {err: fmt.Errorf("asking: %w", &dnsmsg.Error{Reason: "REFUSED"})},
		"timeout":  {err: &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}},
		"other":    {err: errors.New("anything")},
	} {
		got[name] = outcome(res)
		if got[name] != name || !bounded[got[name]] {
			t.Errorf("%s counts as %q", name, got[name])
		}
	}
}

func TestCrowdedClusterCache(t *testing.T) {
	for name, tc := range map[string]struct {
		cluster bool
		names   int
		want    float64
	}{
		"few names":               {true, crowdedNames, 0},
		"too many names":          {true, crowdedNames + 1, 1},
		"not the cluster's cache": {false, crowdedNames + 1, 0},
	} {
		source := static{{Upstream: mustUpstream(t, up1), Cluster: tc.cluster}}
		r, err := New(newSilentBook(t, numbered("n%d.example.com", tc.names)...), source, Options{})
		if err != nil {
			t.Fatal(err)
		}
		r.subscription = r.book.Subscribe()
		r.followWanted(t.Context())
		if got := testutil.ToFloat64(r.metrics.crowded); got != tc.want {
			t.Errorf("%s: gauge is %v", name, got)
		}
	}
}

// TestQuery_KeepsTheIntervalOfItsExpiry: a cache rounds up, so the end is known to a second and the time on the way.
func TestQuery_KeepsTheIntervalOfItsExpiry(t *testing.T) {
	sent := time.Hour
	answered := sent + 30*time.Millisecond
	o := Options{}.withDefaults()
	for ttl, want := range map[time.Duration]interval{
		0:                {sent, answered},
		time.Second:      {sent, answered + time.Second},
		10 * time.Second: {sent + 9*time.Second, answered + 10*time.Second},
	} {
		var q query
		q.answer(addressbook.Answer{TTL: ttl}, sent, answered, &o)
		if q.phase.end != want {
			t.Errorf("TTL %v: %v, want %v", ttl, q.phase.end, want)
		}
	}
}
