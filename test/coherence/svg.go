// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math"
	"strings"
)

// The plot, in pixels. The axis is logarithmic, from axisFrom to axisTo percent; less than axisFrom is drawn as none.
const (
	plotWidth, plotLeft, plotRight = 860, 190, 800
	plotTop, groupHeight, barStep  = 96, 62, 14
	axisFrom, axisTo               = 0.01, 100.0
)

// bar is one figure of a configuration.
type bar struct {
	label, color string
	value        func(r result) float64
}

func bars() []bar {
	return []bar{
		{"at once", "#1f6f8b", func(r result) float64 { return percent(r.After.Missed[0], r.After.Lookups) }},
		{"after 1 s", "#f0a202", func(r result) float64 { return percent(r.After.Missed[1], r.After.Lookups) }},
		{"at once, writes 1 s later", "#99c1cf", func(r result) float64 { return percent(r.After.MissedLate[0], r.After.Lookups) }},
	}
}

// svg draws the shares of connections that missed after the first minute, with the aim of each configuration.
func svg(results []result) string {
	var b strings.Builder
	height := plotTop + groupHeight*len(results) + 50
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n",
		plotWidth, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", plotWidth, height)
	text(&b, 20, 26, "start", `font-size="15" font-weight="bold"`, "Connections that no NetworkPolicy allowed at that moment, after the first minute")
	legend(&b)
	axis(&b, height-50)
	for i, r := range results {
		group(&b, r, plotTop+i*groupHeight)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func legend(b *strings.Builder) {
	x := 20
	for _, kind := range bars() {
		rect(b, x, 42, 12, 12, kind.color)
		text(b, x+18, 52, "start", "", "connection "+kind.label)
		x += 110 + 6*len(kind.label)
	}
	fmt.Fprintf(b, `<path d="M%d 40v16" stroke="#b00020" stroke-width="2"/>`+"\n", x+4)
	text(b, x+12, 52, "start", "", "aim at once")
}

func axis(b *strings.Builder, bottom int) {
	for value := axisFrom; value <= axisTo; value *= 10 {
		fmt.Fprintf(b, `<path d="M%d %dV%d" stroke="#ddd"/>`+"\n", position(value), plotTop-10, bottom)
		text(b, position(value), bottom+16, "middle", "", fmt.Sprintf("%.3g %%", value))
	}
	text(b, (plotLeft+plotRight)/2, bottom+36, "middle", "", "share of the connections (logarithmic)")
	text(b, 20, plotTop-16, "start", `fill="#555"`, "pool, in an answer, TTL, caches")
}

func group(b *strings.Builder, r result, top int) {
	text(b, plotLeft-12, top+25, "end", "", fmt.Sprintf("%d, %d, %d s, %d", r.Pool, r.PerAnswer, r.TTL, r.Replicas))
	for i, kind := range bars() {
		y, value := top+4+i*barStep, kind.value(r)
		width := position(value) - plotLeft
		rect(b, plotLeft, y, max(width, 1), barStep-3, kind.color)
		label := "none"
		if value > 0 {
			label = fmt.Sprintf("%.2g %%", value)
		}
		text(b, plotLeft+width+6, y+9, "start", `font-size="10"`, label)
	}
	x := position(r.aim())
	fmt.Fprintf(b, `<path d="M%d %dv%d" stroke="#b00020" stroke-width="2"/>`+"\n", x, top+2, barStep)
}

// position is where a percentage lies on the axis.
func position(value float64) int {
	part := math.Log(max(value, axisFrom)/axisFrom) / math.Log(axisTo/axisFrom)
	return plotLeft + int(math.Round(part*(plotRight-plotLeft)))
}

func rect(b *strings.Builder, x, y, width, height int, color string) {
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>`+"\n", x, y, width, height, color)
}

func text(b *strings.Builder, x, y int, anchor, more, s string) {
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="%s" %s>%s</text>`+"\n", x, y, anchor, more, s)
}
