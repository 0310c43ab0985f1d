// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCohort_HoldsWhatTheSameTenantsWant: as tenants come and go, each subject is in one cohort, and no cohort is empty.
func TestCohort_HoldsWhatTheSameTenantsWant(t *testing.T) {
	w := newWorld(t, nil)
	r, err := New(w, w.upstreams, Options{})
	if err != nil {
		t.Fatal(err)
	}
	r.subscription = w.Subscribe()
	few, many := []string{"few0.example.com", "few1.example.com"}, numbered("many%d.example.com", 20)
	for _, step := range []struct {
		names []string
		want  []string // tenants, rank: subjects
	}{
		{few, []string{"shop 0: 2"}},
		{slices.Concat(many, few), []string{"shop 0: 2", "shop 1: 20"}},
		{slices.Concat(many, few[:1], []string{few[0] + " of other", few[1] + " of other"}), []string{"other 0: 1", "other,shop 0: 1", "shop 1: 20"}},
		{slices.Concat(many, few[:1], []string{many[0] + " of other"}), []string{"other,shop 1: 1", "shop 0: 1", "shop 1: 19"}},
		{nil, nil},
	} {
		w.list(step.names)
		r.followWanted(t.Context())
		var got []string
		for key, c := range r.views[""].cohorts {
			got = append(got, fmt.Sprintf("%s %d: %d", strings.Join(c.tenants, ","), key.rank, c.subjects))
		}
		slices.Sort(got)
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%v: %s", step.names, diff)
		}
		if in := len(r.views[""].subjects); r.subjects != in {
			t.Errorf("%d subjects are counted, %d there", r.subjects, in)
		}
	}
}

// TestSubject_SharesPaths: an alias of a name at many upstreams is kept once.
func TestSubject_SharesPaths(t *testing.T) {
	s := &subject{}
	for range 3 {
		s.queries = &query{about: s, next: s.queries}
	}
	one, other := []string{"a.example.net.", "b.example.net."}, []string{"a.example.net."}
	s.queries.path = s.path(one)
	s.queries.next.path = s.path(slices.Clone(one))
	s.queries.next.next.path = s.path(other)
	if s.queries.path != s.queries.next.path {
		t.Error("equal paths are two")
	}
	if got := s.queries.next.next.path; !slices.Equal(got.names, other) {
		t.Errorf("%v for %v", got.names, other)
	}
	if s.path(nil) != nil {
		t.Error("no alias has a path")
	}
}
