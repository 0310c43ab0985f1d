// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package plot

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestSVGIsWellFormed(t *testing.T) {
	c := New(100, 50, "less < more")
	c.Rect(1, 2, 3, 4, "#000")
	c.Text(5, 6, "end", "", "a & b")
	c.Line("M0 0L9 9", "#ddd", 1, `stroke-dasharray="4"`)
	c.Dot(7, 8, "#f00")
	if !strings.Contains(c.SVG(), "less &lt; more") {
		t.Errorf("not escaped: %s", c.SVG())
	}
	for decoder := xml.NewDecoder(strings.NewReader(c.SVG())); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestLogAxis(t *testing.T) {
	a := LogAxis{From: 0.01, To: 100, Start: 190, End: 800}
	for value, want := range map[float64]int{0: 190, 0.001: 190, 0.01: 190, 1: 495, 100: 800} {
		if got := a.At(value); got != want {
			t.Errorf("%g lies at %d, not at %d", value, got, want)
		}
	}
	if diff := cmp.Diff([]float64{0.01, 0.1, 1, 10, 100}, a.Powers(), cmpopts.EquateApprox(1e-9, 0)); diff != "" {
		t.Error(diff)
	}
}
