package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/term"
)

// redraw shows the figures once more: in the place of the last ones on a
// terminal, else below them, JSON as one object per line.
func (s *session) redraw(f metricsFlags, raw json.RawMessage, v *figures) error {
	var page bytes.Buffer
	switch {
	case s.json:
		if err := json.Compact(&page, raw); err != nil {
			return cannot("understand the server: %w", err)
		}
		page.WriteByte('\n')
	default:
		paper := *s
		paper.Out = &page
		paper.figures(f, v)
		page.WriteByte('\n')
		if isTerminal(s.Out) {
			page = *bytes.NewBuffer(over(fit(page.Bytes(), height(s.Out))))
		}
	}
	if _, err := io.Copy(s.Out, &page); err != nil {
		return cannot("write the result: %w", err)
	}
	return nil
}

// over makes a page replace the one before it. It is written over that in one
// write, and only what is left of the old one is cleared: this does not flicker.
func over(page []byte) []byte {
	return slices.Concat([]byte("\x1b[H"), bytes.ReplaceAll(page, []byte("\n"), []byte("\x1b[K\n")), []byte("\x1b[J"))
}

// fit cuts a page to the lines of a screen, of which the last is the cursor's:
// a longer one would scroll, and the next begin in the wrong place. Where the
// height is not known nothing is cut.
func fit(page []byte, height int) []byte {
	lines := bytes.SplitAfter(bytes.TrimSuffix(page, []byte("\n")), []byte("\n"))
	if height < 3 || len(lines) < height {
		return page
	}
	shown := height - 2
	rest := fmt.Appendf(nil, "... and %s; a larger window shows them\n", count(len(lines)-shown, "more line"))
	return append(bytes.Join(lines[:shown], nil), rest...)
}

// height is how many lines a terminal has; 0 if it does not say.
func height(terminal io.Writer) int {
	f, ok := terminal.(*os.File)
	if !ok {
		return 0
	}
	_, lines, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return lines
}
