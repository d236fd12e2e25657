package simulate

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// traceLine is one line of a trace.
type traceLine struct {
	At           *float64 `json:"at"`
	Model        string   `json:"model"`
	InputTokens  int      `json:"input_tokens"`
	OutputTokens int      `json:"output_tokens"`
	Stream       bool     `json:"stream"`
}

// maxTraceLine bounds a line of a trace in bytes.
const maxTraceLine = 64 << 10

// ParseTrace reads a trace: one JSON object per line and request, with
//
//	at             seconds since the beginning, a number from 0 up
//	model          the model asked for; may be left out
//	input_tokens   of the prompt; left out or 0: drawn at random
//	output_tokens  of the answer; left out or 0: drawn at random
//	stream         true for a streamed answer; left out: false
//
// Empty lines do not count. The requests are returned sorted by time; the
// error names the first line that is wrong.
func ParseTrace(r io.Reader) ([]Arrival, error) {
	var all []Arrival
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxTraceLine)
	n := 0
	for lines.Scan() {
		n++
		text := bytes.TrimSpace(lines.Bytes())
		if len(text) == 0 {
			continue
		}
		a, err := parseTraceLine(text)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if all = append(all, a); len(all) > maxRequests {
			return nil, fmt.Errorf("line %d: more than %d requests", n, maxRequests)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", n+1, err)
	}
	slices.SortStableFunc(all, func(a, b Arrival) int { return int(min(max(a.At-b.At, -1), 1)) })
	return all, nil
}

func parseTraceLine(text []byte) (Arrival, error) {
	var l traceLine
	if err := strict(text, &l); err != nil {
		return Arrival{}, err
	}
	switch {
	case l.At == nil:
		return Arrival{}, errors.New(`"at" is missing`)
	case !(*l.At >= 0 && *l.At <= maxDuration.Seconds()):
		return Arrival{}, fmt.Errorf(`"at" must be from 0 to %.0f seconds`, maxDuration.Seconds())
	case l.InputTokens < 0 || l.OutputTokens < 0 || l.InputTokens > most || l.OutputTokens > most:
		return Arrival{}, fmt.Errorf("tokens must be from 0 to %d", int(most))
	}
	return Arrival{
		At: time.Duration(*l.At * float64(time.Second)), Model: l.Model,
		InputTokens: l.InputTokens, OutputTokens: l.OutputTokens, Stream: l.Stream,
	}, nil
}
