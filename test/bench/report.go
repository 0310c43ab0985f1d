// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"
)

// figure is one thing that was measured.
type figure struct {
	Name  string   `json:"name"`
	Value float64  `json:"value"`
	Unit  string   `json:"unit"`
	Aim   *float64 `json:"aim,omitempty"` // at most; nil: none
	Span  string   `json:"span"`          // what it is, from when to when
}

func seconds(name string, d time.Duration, span string) figure {
	return figure{Name: name, Value: d.Seconds(), Unit: "s", Span: span}
}

func count(name string, n int, span string) figure {
	return figure{Name: name, Value: float64(n), Span: span}
}

// atMost adds an aim.
func (f figure) atMost(aim float64) figure {
	f.Aim = &aim
	return f
}

func (f figure) met() string {
	switch {
	case f.Aim == nil:
		return ""
	case f.Value <= *f.Aim:
		return "yes"
	}
	return "NO"
}

func (f figure) row() string {
	aim := ""
	if f.Aim != nil {
		aim = "<= " + number(*f.Aim, f.Unit)
	}
	return strings.Join([]string{f.Name, number(f.Value, f.Unit), aim, f.met(), f.Span}, "\t")
}

func number(v float64, unit string) string {
	switch unit {
	case "s":
		return fmt.Sprintf("%.3f s", v)
	case "":
		return fmt.Sprintf("%.0f", v)
	case "x":
		return fmt.Sprintf("%.2f x", v)
	case "MiB":
		return fmt.Sprintf("%.1f MiB", v)
	}
	return fmt.Sprintf("%.0f %s", v, unit)
}

// report prints figures and keeps them.
type report struct {
	out       io.Writer
	scenarios []result
}

type result struct {
	Scenario   string   `json:"scenario"`
	LoadBefore string   `json:"loadBefore"`
	LoadAfter  string   `json:"loadAfter"`
	Figures    []figure `json:"figures"`
}

func newReport(out io.Writer) *report { return &report{out: out} }

func (r *report) print(scenario string, figures []figure, loadBefore, loadAfter string) error {
	r.scenarios = append(r.scenarios, result{scenario, loadBefore, loadAfter, figures})
	if _, err := fmt.Fprintf(r.out, "\n%s (load average before: %s, after: %s)\n", scenario, loadBefore, loadAfter); err != nil {
		return err
	}
	table := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	for _, f := range figures {
		if _, err := fmt.Fprintln(table, "  "+f.row()); err != nil {
			return err
		}
	}
	return table.Flush()
}

// missed names the figures that are not within their aims.
func (r *report) missed() []string {
	var names []string
	for _, s := range r.scenarios {
		for _, f := range s.Figures {
			if f.Aim != nil && !(f.Value <= *f.Aim) { // a figure that is no number misses
				names = append(names, s.Scenario+": "+f.Name)
			}
		}
	}
	return names
}

func (r *report) writeJSON(path string) error {
	raw, err := json.MarshalIndent(r.scenarios, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(raw, '\n'), 0o644)
}

// loadAverage is that of the last minute, five and fifteen minutes, where the system has a file for it. Figures that
// were taken under load say little.
func loadAverage() string {
	content, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	fields := strings.Fields(string(content))
	return strings.Join(fields[:min(3, len(fields))], " ")
}
