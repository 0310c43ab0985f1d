// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"
)

var healthStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestHealthReportsASilentUpstreamOnce(t *testing.T) {
	var h health
	for _, step := range []struct {
		after time.Duration
		want  bool
	}{{0, false}, {silence - 1, false}, {silence, true}, {2 * silence, false}} {
		if got := h.failed(healthStart.Add(step.after), step.after == 0, 0); got != step.want {
			t.Errorf("failing for %s: report %t, want %t", step.after, got, step.want)
		}
	}
	up := healthStart.Add(time.Minute)
	if h.answered(up) {
		t.Error("one good answer is reported as a recovery")
	}
	if h.down {
		t.Error("it is down although it answers")
	}
	if !h.answered(up.Add(calm)) {
		t.Error("a reported upstream has answered for long, and that is not reported")
	}
	if h.answered(up.Add(calm)) {
		t.Error("the recovery is reported twice")
	}
}

func TestHealthIsOfTheUpstreamNotOfOneName(t *testing.T) {
	var h health
	for i := range 100 { // one name fails, another answers between
		now := healthStart.Add(time.Duration(i) * time.Second)
		if h.failed(now, i == 0, 1) {
			t.Fatalf("reported after %d s although it answers other questions", i)
		}
		if h.answered(now) {
			t.Fatal("recovered from nothing")
		}
	}
}

// With few names and long TTLs a family that fails is all that is asked for minutes.
func TestHealthIsNotOfOneFamily(t *testing.T) {
	var h health
	for i := range 120 {
		now := healthStart.Add(time.Duration(i) * 30 * time.Second)
		if h.failed(now, i == 0, 1) || h.down {
			t.Fatalf("down after %s although the other family's answer is fresh", now.Sub(healthStart))
		}
		if i%10 == 9 && h.answered(now) {
			t.Fatal("recovered from nothing")
		}
	}
}

// A large upstream that dies is down long before the last of its answers has expired.
func TestHealthSeesADeadUpstreamByFirstFailures(t *testing.T) {
	var h health
	for i := range manyFirsts {
		if h.failed(healthStart.Add(time.Duration(i)*time.Second), true, 1000-i) != (i == manyFirsts-1) {
			t.Fatalf("wrong after %d questions failed for the first time", i+1)
		}
	}
}

func TestHealthSaysOnceOfOneThatComesAndGoes(t *testing.T) {
	var h health
	said := 0
	now := healthStart
	for range 60 { // a minute down, a minute up, for two hours
		for range 6 {
			said += boolToInt(h.failed(now, true, 0))
			now = now.Add(10 * time.Second)
		}
		for range 6 {
			said += boolToInt(h.answered(now))
			now = now.Add(10 * time.Second)
		}
	}
	if said != 1 {
		t.Errorf("said %d times, want once", said)
	}
	if !h.answered(now.Add(calm)) {
		t.Error("the end is not said")
	}
}

// With one name, a family that fails is all that is asked between two TTLs of the other, for hours.
func TestResolver_OneFailingFamilyIsNoDeadUpstream(t *testing.T) {
	var lines []string
	o := setup{Options: Options{Log: funcr.New(func(_, line string) { lines = append(lines, line) }, funcr.Options{}), Registerer: prometheus.NewRegistry()}}
	respond := func(a asked) reply {
		if strings.HasSuffix(a.Question, "AAAA") {
			return reply{err: errServfail}
		}
		return reply{ttl: 60}
	}
	bubble(t, o, []string{"www.example.com"}, []string{up1}, respond, func(w *world) {
		w.at(2 * time.Hour)
		if said := saying(lines, "good answer"); len(said) > 0 {
			t.Errorf("the log says %q", said)
		}
		if got := saying(lines, "answers again"); len(got) > 0 {
			t.Errorf("the log says %q", got)
		}
		w.setReply(always(reply{err: errServfail}))
		w.at(3 * time.Hour)
		w.setReply(respond)
		w.at(4 * time.Hour)
		down, up := saying(lines, "gives no good answer"), saying(lines, "answers again")
		if len(down) != 1 || len(up) != 1 {
			t.Errorf("of an outage the log says %q and %q, want each once", down, up)
		}
	})
}

func saying(lines []string, words string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return !strings.Contains(line, words) })
}

func TestMetrics_CountUpstreamsThatAreDown(t *testing.T) {
	registry := prometheus.NewRegistry()
	o := setup{Options: Options{Registerer: registry}}
	down := func() string {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "fqdn_egress_resolver_upstreams_down" {
				return f.GetMetric()[0].String()
			}
		}
		return "no such metric"
	}
	bubble(t, o, []string{"www.example.com"}, []string{up1}, always(reply{err: errServfail}), func(w *world) {
		w.at(time.Minute)
		if got := down(); !strings.Contains(got, "value:1") {
			t.Errorf("an upstream that only fails: %s", got)
		}
		w.setReply(always(reply{ttl: 60}))
		w.at(2 * time.Minute)
		if got := down(); !strings.Contains(got, "value:0") {
			t.Errorf("an upstream that answers: %s", got)
		}
		w.setReply(always(reply{err: errServfail}))
		w.at(10 * time.Minute)
		w.setUpstreams()
		if got := down(); !strings.Contains(got, "value:0") {
			t.Errorf("an upstream that left while it was down: %s", got)
		}
	})
}
