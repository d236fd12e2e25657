package measure

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// Line is one curve of a Plot: a figure for each of its points.
type Line struct {
	Name   string
	Values []float64 // positive; what is not is left out
}

// Plot draws curves over the same points, both axes logarithmic, so that what
// grows with its cause is a straight line as steep as the dotted ones.
type Plot struct {
	Title, X, Y string
	Points      []float64 // positive, growing
	Lines       []Line
}

const (
	width, height = 760.0, 420.0
	left, right   = 70.0, 230.0
	top, bottom   = 44.0, 52.0
)

// style is light or dark as the reader's screen is.
const style = `<style>
svg { font: 13px system-ui, sans-serif; background: #fff; }
text { fill: #222; } .grid { stroke: #ddd; } .guide { stroke: #999; stroke-dasharray: 2 4; }
.c0 { stroke: #0b6e99; fill: #0b6e99; } .c1 { stroke: #c0392b; fill: #c0392b; } .c2 { stroke: #2e7d32; fill: #2e7d32; }
.c3 { stroke: #8e44ad; fill: #8e44ad; } .c4 { stroke: #b8860b; fill: #b8860b; } .c5 { stroke: #555; fill: #555; }
path { fill: none !important; stroke-width: 2; }
@media (prefers-color-scheme: dark) { svg { background: #16181c; } text { fill: #ddd; } .grid { stroke: #333; } .c5 { stroke: #aaa; fill: #aaa; } }
</style>
`

// SVG returns the drawing.
func (p *Plot) SVG() string {
	x0, x1 := p.Points[0], p.Points[len(p.Points)-1]
	y0, y1 := math.Inf(1), 0.0
	for _, l := range p.Lines {
		for _, v := range l.Values {
			if v > 0 {
				y0, y1 = min(y0, v), max(y1, v)
			}
		}
	}
	y0, y1 = math.Pow(10, math.Floor(math.Log10(y0))), math.Pow(10, math.Ceil(math.Log10(y1)))
	x := func(v float64) float64 { return left + (width-left-right)*math.Log(v/x0)/math.Log(x1/x0) }
	y := func(v float64) float64 { return height - bottom - (height-top-bottom)*math.Log(v/y0)/math.Log(y1/y0) }

	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" role="img" aria-label="%s">`+"\n%s", width, height, html.EscapeString(p.Title), style)
	fmt.Fprintf(&b, `<text x="%g" y="24" font-size="16">%s</text>`+"\n", left, html.EscapeString(p.Title))
	for v := y0; v <= y1*1.001; v *= 10 {
		fmt.Fprintf(&b, `<line class="grid" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/><text x="%g" y="%.1f" text-anchor="end">%g</text>`+"\n",
			left, width-right, y(v), y(v), left-8, y(v)+4, v)
		// What grows as much as its cause goes along here.
		if end := v * x1 / x0; end <= y1 {
			fmt.Fprintf(&b, `<line class="guide" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/>`+"\n", left, width-right, y(v), y(end))
		}
	}
	for _, v := range p.Points {
		fmt.Fprintf(&b, `<text x="%.1f" y="%g" text-anchor="middle">%g</text>`+"\n", x(v), height-bottom+20, v)
	}
	fmt.Fprintf(&b, `<text x="%g" y="%g" text-anchor="middle">%s</text>`+"\n", (left+width-right)/2, height-12, html.EscapeString(p.X))
	fmt.Fprintf(&b, `<text x="16" y="%g" transform="rotate(-90 16 %g)" text-anchor="middle">%s</text>`+"\n", height/2, height/2, html.EscapeString(p.Y))
	for i, l := range p.Lines {
		var path strings.Builder
		pen := "M"
		for k, v := range l.Values {
			if v <= 0 {
				continue
			}
			fmt.Fprintf(&path, "%s%.1f %.1f ", pen, x(p.Points[k]), y(v))
			fmt.Fprintf(&b, `<circle class="c%d" cx="%.1f" cy="%.1f" r="3"/>`+"\n", i%6, x(p.Points[k]), y(v))
			pen = "L"
		}
		at := top + 22*float64(i) + 10
		fmt.Fprintf(&b, `<path class="c%d" d="%s"/><line class="c%d" x1="%g" x2="%g" y1="%g" y2="%g"/><text x="%g" y="%g">%s</text>`+"\n",
			i%6, strings.TrimSpace(path.String()), i%6, width-right+14, width-right+34, at-4, at-4, width-right+40, at, html.EscapeString(l.Name))
	}
	return b.String() + "</svg>\n"
}
