// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/fqdn-egress/fqdn-egress/test/plot"
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
	height := plotTop + groupHeight*len(results) + 50
	c := plot.New(plotWidth, height, "Connections that no NetworkPolicy allowed at that moment, after the first minute")
	legend(c)
	drawAxis(c, height-50)
	for i, r := range results {
		group(c, r, plotTop+i*groupHeight)
	}
	return c.SVG()
}

func legend(c *plot.Canvas) {
	x := 20
	for _, kind := range bars() {
		c.Rect(x, 42, 12, 12, kind.color)
		c.Text(x+18, 52, "start", "", "connection "+kind.label)
		x += 110 + 6*len(kind.label)
	}
	c.Line(fmt.Sprintf("M%d 40v16", x+4), "#b00020", 2, "")
	c.Text(x+12, 52, "start", "", "aim at once")
}

// axis is of percentages.
func axis() plot.LogAxis {
	return plot.LogAxis{From: axisFrom, To: axisTo, Start: plotLeft, End: plotRight}
}

func drawAxis(c *plot.Canvas, bottom int) {
	for _, value := range axis().Powers() {
		x := axis().At(value)
		c.Line(fmt.Sprintf("M%d %dV%d", x, plotTop-10, bottom), "#ddd", 1, "")
		c.Text(x, bottom+16, "middle", "", fmt.Sprintf("%.3g %%", value))
	}
	c.Text((plotLeft+plotRight)/2, bottom+36, "middle", "", "share of the connections (logarithmic)")
	c.Text(20, plotTop-16, "start", `fill="#555"`, "pool, in an answer, TTL, caches")
}

func group(c *plot.Canvas, r result, top int) {
	c.Text(plotLeft-12, top+25, "end", "", fmt.Sprintf("%d, %d, %d s, %d", r.Pool, r.PerAnswer, r.TTL, r.Replicas))
	for i, kind := range bars() {
		y, value := top+4+i*barStep, kind.value(r)
		width := axis().At(value) - plotLeft
		c.Rect(plotLeft, y, max(width, 1), barStep-3, kind.color)
		label := "none"
		if value > 0 {
			label = fmt.Sprintf("%.2g %%", value)
		}
		c.Text(plotLeft+width+6, y+9, "start", `font-size="10"`, label)
	}
	c.Line(fmt.Sprintf("M%d %dv%d", axis().At(r.aim()), top+2, barStep), "#b00020", 2, "")
}
