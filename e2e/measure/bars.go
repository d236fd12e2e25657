package measure

import (
	"fmt"
	"html"
	"strings"
)

// Bar is one figure of Bars, with the range that it was seen in.
type Bar struct {
	Name             string
	Value, Low, High float64
}

// Bars draws a bar for each figure, from 0 on, with a line at Mark.
type Bars struct {
	Title string
	Mark  float64
	Bars  []Bar
}

// SVG returns the drawing.
func (p *Bars) SVG() string {
	const names, row, head = 300.0, 34.0, 52.0
	most := p.Mark
	for _, b := range p.Bars {
		most = max(most, b.High)
	}
	high := head + row*float64(len(p.Bars)) + 30
	x := func(v float64) float64 { return names + (width-names-60)*v/most }

	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" role="img" aria-label="%s">`+"\n%s", width, high, html.EscapeString(p.Title), style)
	fmt.Fprintf(&b, `<text x="16" y="26" font-size="16">%s</text>`+"\n", html.EscapeString(p.Title))
	for i, bar := range p.Bars {
		y := head + row*float64(i)
		fmt.Fprintf(&b, `<text x="%g" y="%g" text-anchor="end">%s</text>`+"\n", names-10, y+15, html.EscapeString(bar.Name))
		fmt.Fprintf(&b, `<rect class="c0" x="%g" y="%g" width="%.1f" height="20"/>`+"\n", names, y, x(bar.Value)-names)
		fmt.Fprintf(&b, `<line class="c5" x1="%.1f" x2="%.1f" y1="%g" y2="%g"/>`+"\n", x(bar.Low), x(bar.High), y+10, y+10)
		fmt.Fprintf(&b, `<text x="%.1f" y="%g">%.2f</text>`+"\n", x(max(bar.Value, bar.High))+8, y+15, bar.Value)
	}
	fmt.Fprintf(&b, `<line class="c1" x1="%.1f" x2="%.1f" y1="%g" y2="%g"/><text x="%.1f" y="%g" text-anchor="middle">%g</text>`+"\n",
		x(p.Mark), x(p.Mark), head-8, high-26, x(p.Mark), high-10, p.Mark)
	return b.String() + "</svg>\n"
}
