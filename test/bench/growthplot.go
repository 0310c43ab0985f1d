// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math"
	"os"
	"strings"

	"github.com/fqdn-egress/fqdn-egress/test/plot"
)

// The plot of the scenario scale, in pixels: one panel a cost, each with the policies along its bottom.
const (
	growthWidth, growthHeight = 860, 400
	panelTop, panelBottom     = 90, 330
	panelWidth, panelGap      = 220, 60
	panelLeft                 = 60
)

// panel is one cost, and what it is held against.
type panel struct {
	title, unit  string
	value, other func(growth) float64
	otherLabel   string
}

func panels() []panel {
	return []panel{
		{"converge", "s", func(g growth) float64 { return g.converge.Seconds() },
			func(g growth) float64 { return g.plainCreate.Seconds() }, "plain client's creates"},
		{"heap over an empty controller", "MiB", func(g growth) float64 { return (g.heap - g.emptyHeap) / (1 << 20) },
			func(g growth) float64 { return g.heapAim() / (1 << 20) }, "aim"},
		{"restart: ready", "s", func(g growth) float64 { return g.ready.Seconds() },
			func(growth) float64 { return readyWithin }, "aim"},
	}
}

// growthPlot draws how costs grow with the number of policies. Both axes are logarithmic: what is linear is straight, and as steep
// as the thin line.
func growthPlot(grown []growth) string {
	c := plot.New(growthWidth, growthHeight, "Growth with the number of policies of 5 names")
	if len(grown) < 2 {
		return c.SVG()
	}
	for i, p := range panels() {
		p.draw(c, panelLeft+i*(panelWidth+panelGap), grown)
	}
	return c.SVG()
}

const measuredColor, otherColor = "#1f6f8b", "#f0a202"

func (p panel) draw(c *plot.Canvas, left int, grown []growth) {
	x := plot.LogAxis{From: float64(grown[0].policies), To: float64(grown[len(grown)-1].policies), Start: left, End: left + panelWidth}
	y := p.axis(grown)
	c.Text(left, panelTop-34, "start", `font-weight="bold"`, p.title+", "+p.unit)
	c.Text(left, panelTop-16, "start", fmt.Sprintf(`fill="%s"`, otherColor), p.otherLabel)
	for _, value := range y.Powers() {
		c.Line(fmt.Sprintf("M%d %dH%d", left, y.At(value), left+panelWidth), "#ddd", 1, "")
		c.Text(left-6, y.At(value)+4, "end", `font-size="10"`, fmt.Sprintf("%g", value))
	}
	for _, g := range grown {
		c.Text(x.At(float64(g.policies)), panelBottom+18, "middle", `font-size="10"`, fmt.Sprint(g.policies))
	}
	c.Text(left+panelWidth/2, panelBottom+38, "middle", "", "policies")
	first, last := grown[0], grown[len(grown)-1]
	linear := p.value(first) * float64(last.policies) / float64(first.policies)
	c.Line(fmt.Sprintf("M%d %dL%d %d", x.Start, y.At(p.value(first)), x.End, y.At(min(linear, y.To))), "#999", 1, `stroke-dasharray="4"`)
	p.curve(c, x, y, grown, p.other, otherColor)
	p.curve(c, x, y, grown, p.value, measuredColor)
}

func (p panel) curve(c *plot.Canvas, x, y plot.LogAxis, grown []growth, value func(growth) float64, color string) {
	var points []string
	for _, g := range grown {
		px, py := x.At(float64(g.policies)), y.At(value(g))
		points = append(points, fmt.Sprintf("%d %d", px, py))
		c.Dot(px, py, color)
	}
	c.Line("M"+strings.Join(points, "L"), color, 2, "")
}

// axis spans whole powers of ten around all values.
func (p panel) axis(grown []growth) plot.LogAxis {
	lowest, highest := math.Inf(1), 0.0
	for _, g := range grown {
		for _, v := range []float64{p.value(g), p.other(g)} {
			lowest, highest = min(lowest, max(v, 0.01)), max(highest, v, 0.02)
		}
	}
	return plot.LogAxis{
		From: math.Pow(10, math.Floor(math.Log10(lowest))), To: math.Pow(10, math.Ceil(math.Log10(highest))), Start: panelBottom, End: panelTop,
	}
}

// publish writes the files that were asked for, and the table of scale.
func (b *bench) publish() error {
	if len(b.grown) > 0 {
		if _, err := fmt.Fprint(b.report.out, "\n"+growthTable(b.grown)); err != nil {
			return err
		}
	}
	if b.options.svg != "" {
		if err := os.WriteFile(b.options.svg, []byte(growthPlot(b.grown)), 0o644); err != nil {
			return err
		}
	}
	if b.options.json != "" {
		return b.report.writeJSON(b.options.json)
	}
	return nil
}
