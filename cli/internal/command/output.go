package command

import (
	"encoding/json"
	"fmt"
	"image/color"
	"io"
	"os"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"charm.land/lipgloss/v2/table"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// good prints a verdict on standard output.
func (s *session) good(format string, args ...any) {
	s.line(s.Out, lipgloss.Green, "✅ "+fmt.Sprintf(format, args...))
}

// bad prints a verdict on standard error.
func (s *session) bad(format string, args ...any) {
	s.line(s.Err, lipgloss.Red, "❌ "+fmt.Sprintf(format, args...))
}

// warn prints what is probably not meant.
func (s *session) warn(w io.Writer, format string, args ...any) {
	s.line(w, lipgloss.Yellow, "⚠️  "+fmt.Sprintf(format, args...))
}

// line prints a text whose first line is coloured, on a terminal that wants it.
func (s *session) line(w io.Writer, c color.Color, text string) {
	if s.coloured(w) {
		first, rest, more := strings.Cut(text, "\n")
		text = lipgloss.NewStyle().Foreground(c).Render(first)
		if more {
			text += "\n" + rest
		}
	}
	fmt.Fprintln(w, text)
}

// coloured reports whether w is a terminal whose user has not said no; see
// no-color.org for the variable.
func (s *session) coloured(w io.Writer) bool {
	return !s.noColor && s.Getenv("NO_COLOR") == "" && s.Getenv("TERM") != "dumb" && isTerminal(w)
}

// isTerminal reports whether one end of a stream is a person.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// object prints a result for programs, as one indented JSON object.
func (s *session) object(v any) error {
	e := json.NewEncoder(s.Out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return cannot("write the result: %w", err)
	}
	return nil
}

// cellGap is the space between two columns.
const cellGap = 2

// table prints rows under a header line. On a terminal, cells that do not fit
// are wrapped.
func (s *session) table(header []string, rows [][]string) {
	colour := s.coloured(s.Out)
	t := table.New().Headers(header...).Rows(rows...).
		Border(lipgloss.Border{}).BorderTop(false).BorderBottom(false).BorderLeft(false).BorderRight(false).
		BorderHeader(false).BorderColumn(false).BorderRow(false).
		StyleFunc(func(row, _ int) lipgloss.Style {
			style := lipgloss.NewStyle().PaddingRight(cellGap)
			if colour && row == table.HeaderRow {
				style = style.Bold(true)
			}
			return style
		})
	text := t.String()
	if f, ok := s.Out.(*os.File); ok && isTerminal(f) {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && lipgloss.Width(text) > width {
			text = t.Width(width).String()
		}
	}
	for line := range strings.Lines(text) {
		fmt.Fprintln(s.Out, strings.TrimRight(line, " \n"))
	}
}

// progress shows on a terminal how many of n are done. Call step for each,
// from any goroutine, and done at the end.
func (s *session) progress(n int, what string) (step, done func()) {
	if s.json || !isTerminal(s.Err) {
		return func() {}, func() {}
	}
	bar := progressbar.NewOptions(n,
		progressbar.OptionSetWriter(s.Err),
		progressbar.OptionSetDescription(what),
		progressbar.OptionEnableColorCodes(false),
		progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionClearOnFinish(),
	)
	// A bar that cannot be drawn changes no result.
	_ = bar.RenderBlank()
	return func() { _ = bar.Add(1) }, func() { _ = bar.Finish() }
}

// count is "1 user" or "2 users".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// shown is a duration for people; "-" for none.
func shown(d time.Duration) string {
	switch {
	case d <= 0:
		return "-"
	case d < time.Millisecond:
		return "<1 ms"
	case d < 10*time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	default:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
}

// milliseconds is a duration for programs, to the microsecond.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }
