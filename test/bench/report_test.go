// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMissedNamesTheFiguresBeyondTheirAims(t *testing.T) {
	r := newReport(io.Discard)
	figures := []figure{
		count("below", 1, "").atMost(2),
		count("just met", 2, "").atMost(2),
		count("beyond", 3, "").atMost(2),
		figure{Name: "no number", Value: math.NaN()}.atMost(2),
		count("without an aim", 9, ""),
	}
	if err := r.print("change", figures, "0", "0"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"change: beyond", "change: no number"}, r.missed()); diff != "" {
		t.Errorf("-want +got: %s", diff)
	}
}

func TestStrictIsAsked(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want bool
	}{{nil, false}, {[]string{"--strict"}, true}} {
		if o, err := parseOptions(tc.args, io.Discard); err != nil || o.strict != tc.want {
			t.Errorf("%q: %+v, %v", tc.args, o, err)
		}
	}
}
