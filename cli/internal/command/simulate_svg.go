package command

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance/simulate"
)

// The picture: one panel for each strategy, in it a bar for each slice of
// time, stacked by backend. It has no background, and what is not a bar is of a
// grey that reads alike on white and on black.
const (
	svgWidth    = 900
	svgLeft     = 56  // of the panels: room for the numbers
	svgRight    = 160 // beside them: room for the figures
	svgPanel    = 74
	svgGap      = 36 // between panels: room for the strategy's name
	svgLine     = 18
	svgGrey     = "#767676"
	svgLost     = "#d33c32"
	svgInk      = svgWidth - svgLeft - svgRight
	svgNameSize = 46 // letters of a backend's name in the legend
)

// svgColors tell the backends apart, also for those who see no red or green
// (after the palette of Okabe and Ito, 2008). After the last they begin again.
func svgColors() []string {
	return []string{"#0b84c6", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#8c6d31", "#7b66d2", "#a0a33a"}
}

// svg is a picture while it is drawn.
type svg struct {
	strings.Builder
	top int // of what is drawn next
}

func (p *svg) add(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

// text writes text; anchor is start, middle or end.
func (p *svg) text(x, y int, anchor, text string) {
	var b strings.Builder
	// A strings.Builder takes everything.
	_ = xml.EscapeText(&b, []byte(text))
	p.add(`<text x="%d" y="%d" text-anchor="%s">%s</text>`, x, y, anchor, b.String())
}

// draw is the picture of one world.
func (st *study) draw(c comparison) string {
	p := &svg{top: 22}
	p.add(`<title>Strategies in the world %s</title>`, escaped(c.world.Name))
	p.add(`<text x="%d" y="%d" font-size="15" font-weight="bold">%s</text>`, svgLeft, p.top,
		escaped(fmt.Sprintf("World %s, model %s, seed %d", c.world.Name, st.model.ID, st.scenario.seed)))
	p.top += svgLine
	if c.world.About != "" {
		p.text(svgLeft, p.top, "start", c.world.About)
		p.top += svgLine
	}
	p.legend(c.reports[0])
	peak := 1
	for _, r := range c.reports {
		for _, s := range r.Timeline {
			peak = max(peak, total(s))
		}
	}
	for _, r := range c.reports {
		p.top += svgGap
		p.panel(st, r, peak)
		p.top += svgPanel
	}
	p.times(c.reports[0])
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" `+
		`font-family="system-ui, sans-serif" font-size="12" fill="%s">`+"\n", svgWidth, p.top, svgWidth, p.top, svgGrey) +
		p.String() + "</svg>\n"
}

func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text))
	return b.String()
}

func total(s simulate.Slice) int {
	n := s.Unanswered
	for _, a := range s.Answered {
		n += a
	}
	return n
}

// legend says which colour is which backend.
func (p *svg) legend(r *simulate.Report) {
	x := svgLeft
	entry := func(color, name string) {
		if runes := []rune(name); len(runes) > svgNameSize {
			name = string(runes[:svgNameSize-1]) + "…"
		}
		width := 26 + 7*len([]rune(name))
		if x+width > svgWidth && x > svgLeft {
			x = svgLeft
			p.top += svgLine
		}
		p.add(`<rect x="%d" y="%d" width="11" height="11" fill="%s"/>`, x, p.top-10, color)
		p.text(x+16, p.top, "start", name)
		x += width
	}
	for i, b := range r.Backends {
		entry(colorOf(i), b.ID)
	}
	entry(svgLost, "not answered")
}

func colorOf(backend int) string {
	palette := svgColors()
	return palette[backend%len(palette)]
}

// panel draws one strategy; bars are as high as peak requests at the most.
func (p *svg) panel(st *study, r *simulate.Report, peak int) {
	bottom := p.top + svgPanel
	p.add(`<text x="%d" y="%d" font-weight="bold">%s</text>`, svgLeft, p.top-10, escaped(r.Name))
	for _, e := range r.Episodes {
		from, until := p.x(r, e.From), p.x(r, min(e.Until, r.Duration))
		p.add(`<rect x="%.1f" y="%d" width="%.1f" height="4" fill="%s"/>`, from, p.top-5, until-from, svgGrey)
	}
	for i, s := range r.Timeline {
		x, next := p.x(r, time.Duration(i)*r.Width), p.x(r, min(time.Duration(i+1)*r.Width, r.Duration))
		y := float64(bottom)
		bar := func(n int, color string) {
			if n == 0 {
				return
			}
			h := float64(n) / float64(peak) * svgPanel
			y -= h
			p.add(`<rect x="%.1f" y="%.2f" width="%.1f" height="%.2f" fill="%s"/>`, x, y, max(next-x-0.7, 0.5), h, color)
		}
		for b, n := range s.Answered {
			bar(n, colorOf(b))
		}
		bar(s.Unanswered, svgLost)
	}
	p.add(`<path d="M%d %dV%dH%d" fill="none" stroke="%s"/>`, svgLeft, p.top, bottom, svgLeft+svgInk, svgGrey)
	p.text(svgLeft-6, p.top+10, "end", fmt.Sprint(peak))
	p.text(svgLeft-6, bottom, "end", "0")
	p.add(`<text transform="translate(14 %d) rotate(-90)" text-anchor="middle" font-size="11">requests</text>`, p.top+svgPanel/2)
	side := svgLeft + svgInk + 14
	p.text(side, p.top+14, "start", percent(r.SuccessRate(), 2)+" answered")
	p.text(side, p.top+14+svgLine, "start", st.thousand(r)+" per 1000")
	p.text(side, p.top+14+2*svgLine, "start", "P99 "+shown(r.P99))
}

// x is where a moment is.
func (p *svg) x(r *simulate.Report, at time.Duration) float64 {
	return svgLeft + svgInk*at.Seconds()/r.Duration.Seconds()
}

// times draws the axis below the last panel.
func (p *svg) times(r *simulate.Report) {
	unit, name := time.Second, "seconds"
	switch {
	case r.Duration > 72*time.Hour:
		unit, name = 24*time.Hour, "days"
	case r.Duration > 3*time.Hour:
		unit, name = time.Hour, "hours"
	case r.Duration > 3*time.Minute:
		unit, name = time.Minute, "minutes"
	}
	step := niceStep(float64(r.Duration) / float64(unit))
	for at := 0.0; at*float64(unit) <= float64(r.Duration)*1.0001; at += step {
		x := p.x(r, time.Duration(at*float64(unit)))
		p.add(`<path d="M%.1f %dv5" stroke="%s"/>`, x, p.top, svgGrey)
		p.text(int(x), p.top+18, "middle", fmt.Sprintf("%.4g", at))
	}
	p.text(svgLeft+svgInk/2, p.top+36, "middle", name+"; each bar is "+plain(r.Width.Round(time.Millisecond))+"; under a grey line a backend is broken")
	p.top += 46
}

// niceStep divides a range into six to twelve steps of 1, 2, 3 or 5 times a
// power of ten.
func niceStep(size float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(size/6)))
	best := power
	for _, m := range []float64{1, 2, 3, 5, 10} {
		if size/(m*power) >= 5.9 {
			best = m * power
		}
	}
	return best
}
