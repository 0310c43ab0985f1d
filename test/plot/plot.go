// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package plot draws figures as SVG, for the pages that show measurements.
package plot

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// Canvas is a white picture, in pixels from the upper left. The zero value is not usable.
type Canvas struct{ b strings.Builder }

// New returns an empty canvas with a title in its upper left.
func New(width, height int, title string) *Canvas {
	c := &Canvas{}
	fmt.Fprintf(&c.b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	c.Rect(0, 0, width, height, "#fff")
	c.Text(20, 26, "start", `font-size="15" font-weight="bold"`, title)
	return c
}

// Rect fills a rectangle.
func (c *Canvas) Rect(x, y, width, height int, color string) {
	fmt.Fprintf(&c.b, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>`+"\n", x, y, width, height, color)
}

// Text writes s at a point that is its start, middle or end, as anchor says; more are further attributes.
func (c *Canvas) Text(x, y int, anchor, more, s string) {
	fmt.Fprintf(&c.b, `<text x="%d" y="%d" text-anchor="%s" %s>%s</text>`+"\n", x, y, anchor, more, html.EscapeString(s))
}

// Line draws a path of SVG; more are further attributes.
func (c *Canvas) Line(path, color string, width int, more string) {
	fmt.Fprintf(&c.b, `<path d="%s" fill="none" stroke="%s" stroke-width="%d" %s/>`+"\n", path, color, width, more)
}

// Dot draws a point.
func (c *Canvas) Dot(x, y int, color string) {
	fmt.Fprintf(&c.b, `<circle cx="%d" cy="%d" r="4" fill="%s"/>`+"\n", x, y, color)
}

// SVG returns the picture.
func (c *Canvas) SVG() string { return c.b.String() + "</svg>\n" }

// LogAxis maps values to pixels, logarithmically: From lies at Start, To at End. Both are positive.
type LogAxis struct {
	From, To   float64
	Start, End int
}

// At is where a value lies; less than From is drawn as From.
func (a LogAxis) At(value float64) int {
	part := math.Log(max(value, a.From)/a.From) / math.Log(a.To/a.From)
	return a.Start + int(math.Round(part*float64(a.End-a.Start)))
}

// Powers returns the powers of ten from From to To, if From is one.
func (a LogAxis) Powers() []float64 {
	var powers []float64
	for value := a.From; value <= a.To*1.001; value *= 10 {
		powers = append(powers, value)
	}
	return powers
}
