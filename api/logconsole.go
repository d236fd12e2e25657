package api

import (
	"bytes"
	"io"
	"maps"
	"os"
	"strconv"
	"strings"

	"github.com/rs/zerolog"
)

// console turns the log's JSON lines into text for people. It goes through the
// JSON so that there is one form of a line; a terminal has the time.
type console struct{ w zerolog.ConsoleWriter }

func newConsole(out io.Writer, color bool) console {
	return console{zerolog.ConsoleWriter{
		Out:     out,
		NoColor: !color,
		// The names of the parts are those of logger.line, all else are fields.
		PartsOrder:    []string{"timestamp", zerolog.LevelFieldName, zerolog.MessageFieldName},
		FieldsExclude: []string{"timestamp", "target", "fields"},
		FormatPrepare: func(line map[string]any) error {
			if fields, ok := line["fields"].(map[string]any); ok {
				maps.Copy(line, fields)
			}
			return nil
		},
		FormatLevel:   paddedLevel,
		FormatMessage: quotedMessage,
	}}
}

func paddedLevel(v any) string {
	s, _ := v.(string)
	return s + strings.Repeat(" ", max(0, len("ERROR")-len(s)))
}

// quotedMessage keeps a message on its line whatever is in it.
func quotedMessage(v any) string {
	s, _ := v.(string)
	if q := strconv.Quote(s); len(q) != len(s)+2 {
		return q
	}
	return s
}

// Write takes whole JSON lines.
func (c console) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		if _, err := c.w.Write(line); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// logOutput is the writer of standard output in the configured format: json,
// console, or auto, which is console on a terminal.
func logOutput(out io.Writer, format string) io.Writer {
	terminal := isTerminal(out)
	if format == "console" || (format == "auto" && terminal) {
		return newConsole(out, terminal)
	}
	return out
}

// isTerminal reports whether out is a character device other than the one that
// throws all away, for which no line need be made pretty.
func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	nowhere, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, nowhere)
}
