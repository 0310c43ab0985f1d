// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
)

// result is what was measured of one configuration.
type result struct {
	shape
	tally
	Writes writes `json:"writes"` // since the start
	Failed int    `json:"failedLookups"`

	Told    *v1alpha1.PoolStatus `json:"poolStatus"` // in the end; nil: the status told of none
	Message string               `json:"message"`    // of the name, in the end

	Learning learning `json:"learning"` // after the first minute

	// After the first minute.
	Allowed        float64 `json:"allowed"`        // mean of the addresses allowed
	Exposure       float64 `json:"exposure"`       // mean of those of them that no unexpired answer holds
	Queries        float64 `json:"queries"`        // of the controller, for each entry of a cache; -1: not known
	PolicyWrites   float64 `json:"policyWrites"`   // of NetworkPolicies, for each answer of the authoritative server
	StatusWrites   float64 `json:"statusWrites"`   // of the status, likewise
	WritesAfter    int     `json:"writesAfter"`    // of either
	AnswersAfter   int     `json:"answersAfter"`   // of the authoritative server
	AnswersAtStart int     `json:"answersAtStart"` // until then
}

func (s *site) result() result {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := result{shape: s.shape, tally: s.tally, Writes: s.written, Failed: s.failed, Queries: -1, Told: s.told.Pool, Message: s.told.Message}
	if s.written.known.IsZero() {
		r.Writes.AfterKnown = -1
	}
	r.Allowed, r.Exposure = ratio(s.sampled.allowed, s.sampled.samples), ratio(s.sampled.more, s.sampled.samples)
	if len(s.resolvers) > 0 {
		for _, cache := range s.resolvers {
			r.Learning.add(cache.learning(s.began.Add(warmup), time.Now().Add(-s.shape.ttl()))) // without those that still last
		}
		r.Queries = ratio(s.last.queries-s.start.queries, s.last.renewals-s.start.renewals)
	}
	r.AnswersAtStart, r.AnswersAfter = s.start.answers, s.last.answers-s.start.answers
	policies, statuses := s.last.networkPolicies-s.start.networkPolicies, s.last.statuses-s.start.statuses
	r.WritesAfter = policies + statuses
	r.PolicyWrites, r.StatusWrites = ratio(policies, r.AnswersAfter), ratio(statuses, r.AnswersAfter)
	return r
}

func ratio(n, of int) float64 { return percent(n, of) / 100 }

// publish prints the table and writes the files that were asked for.
func publish(results []result, o *options) error {
	if err := table(os.Stdout, results); err != nil {
		return err
	}
	if o.json != "" {
		content, err := json.MarshalIndent(results, "", " ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.json, append(content, '\n'), 0o644); err != nil {
			return err
		}
	}
	if o.svg != "" {
		return os.WriteFile(o.svg, []byte(svg(results)), 0o644)
	}
	return nil
}

// missedAims names the configurations that missed more at once than they should. One in which no pod asked missed it too.
func missedAims(results []result) []string {
	var names []string
	for _, r := range results {
		if r.After.Lookups == 0 || percent(r.After.Missed[0], r.After.Lookups) > r.aim() {
			names = append(names, r.String())
		}
	}
	return names
}

// table prints what pods saw, and then why and at what cost.
func table(w io.Writer, results []result) error {
	seen := []string{"N,k,TTL,R \tlookups \tmissed at 0 s, % \t1 s \t3 s \taim \twrites 1 s later: 0 s \t1 s \t3 s \t" +
		"first minute: 0 s \t1 s \t3 s \torphans \tmissed \t"}
	why := []string{"N,k,TTL,R \tallowed \texposure \tentries \tunseen \torphans told \tlearnt after p50, max ms \t" +
		"missed at age p50, max ms \tqueries/entry \tNetworkPolicy/answer \tstatus/answer \twrites once known \tpool in status \t"}
	for _, r := range results {
		a, f := r.After, r.FirstMinute
		name := fmt.Sprintf("%d,%d,%d,%d \t", r.Pool, r.PerAnswer, r.TTL, r.Replicas)
		seen = append(seen, name+fmt.Sprintf("%d \t%s\t%.1f \t%s\t%s\t%d \t%d \t", a.Lookups, shares(a.Missed, a.Lookups), r.aim(),
			shares(a.MissedLate, a.Lookups), shares(f.Missed, f.Lookups), a.Orphans, a.OrphanMissed[0]))
		why = append(why, name+fmt.Sprintf("%.1f \t%.1f \t%s \t%s \t%s \t%.3f \t%.3f \t%s \t%s \t", r.Allowed, r.Exposure,
			r.learnt(), ages(r.MissAges), known(r.Queries >= 0, fmt.Sprintf("%.2f", r.Queries)), r.PolicyWrites, r.StatusWrites,
			known(r.Writes.AfterKnown >= 0, fmt.Sprint(r.Writes.AfterKnown)), r.pool()))
	}
	for _, rows := range [][]string{seen, why} {
		t := tabwriter.NewWriter(w, 0, 0, 1, ' ', tabwriter.AlignRight|tabwriter.Debug)
		for _, row := range rows {
			if _, err := fmt.Fprintln(t, row); err != nil {
				return err
			}
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func (r result) learnt() string {
	l := r.Learning
	if r.Queries < 0 {
		return "- \t- \t- \t-"
	}
	return fmt.Sprintf("%d \t%d \t%d \t%s", l.Entries, l.Unseen, l.Orphans, ages(l.After))
}

// pool is what the status says of the coverage.
func (r result) pool() string {
	switch {
	case r.Told == nil:
		return "-"
	case r.Message != "":
		return fmt.Sprintf("%d of %d, not covered", r.Told.Seen, r.Told.Estimated)
	}
	return fmt.Sprintf("%d of %d", r.Told.Seen, r.Told.Estimated)
}

func known(is bool, text string) string {
	if !is {
		return "-"
	}
	return text
}

func shares(n [connects]int, of int) string {
	return fmt.Sprintf("%.2f \t%.2f \t%.2f ", percent(n[0], of), percent(n[1], of), percent(n[2], of))
}

func ages(of []int64) string {
	if len(of) == 0 {
		return "-"
	}
	sorted := slices.Sorted(slices.Values(of))
	return fmt.Sprintf("%d, %d", sorted[len(sorted)/2], sorted[len(sorted)-1])
}
