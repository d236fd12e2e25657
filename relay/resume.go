package relay

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/PPKunOfficial/berry-api/loadbalance"
)

// With stream_resume = "replay" a stream that breaks after content is run again
// on another backend. What the client has already is compared and not sent
// again; from there on the second run's text continues the first one's. The
// model is never asked to continue: that would be another conversation.

// maxSaid bounds the text that is kept for a resume.
const maxSaid = 1 << 20

// errDiffers: the second run says something else than the first.
var errDiffers = errors.New("the answer differs from what was sent")

// said is what a stream has told the client so far, as far as a second run
// must repeat it.
type said struct {
	text        []byte
	pos         int // how much of text the run under way has repeated
	id, created json.RawMessage
	other       bool // something else than plain text of one choice was sent
}

// said's view of a chunk. Fields that it does not name stay with the chunk.
type saidChoice struct {
	Index        int                        `json:"index"`
	Delta        map[string]json.RawMessage `json:"delta"`
	Logprobs     json.RawMessage            `json:"logprobs,omitempty"`
	FinishReason *string                    `json:"finish_reason"`
}

// plain reports whether what was sent can be repeated at all.
func (s *said) plain() bool { return !s.other && len(s.text) <= maxSaid }

// caughtUp reports whether the run under way has repeated all that was sent.
func (s *said) caughtUp() bool { return s.pos == len(s.text) }

// begin starts another run.
func (s *said) begin() { s.pos = 0 }

// each calls f with each chunk in events, which hold one per data line.
func each(events []byte, f func(chunk map[string]json.RawMessage, choices []saidChoice) error) error {
	for event := range bytes.SplitSeq(events, []byte("\n\n")) {
		data, ok := bytes.CutPrefix(event, []byte("data: "))
		if !ok {
			continue
		}
		var chunk map[string]json.RawMessage
		var choices []saidChoice
		if json.Unmarshal(data, &chunk) != nil || json.Unmarshal(chunk["choices"], &choices) != nil {
			return errDiffers
		}
		if err := f(chunk, choices); err != nil {
			return err
		}
	}
	return nil
}

// content is a delta's text, and whether it is plain text and nothing else.
func (c *saidChoice) content() (text string, plain bool) {
	for key, v := range c.Delta {
		switch {
		case key == "role", string(v) == "null":
		case key == "content":
			if json.Unmarshal(v, &text) != nil {
				return "", false
			}
		default:
			return "", false
		}
	}
	// Half of a surrogate pair cannot be put together with the other half, which
	// is in another piece: what was read of it is not what was said.
	if strings.ContainsRune(text, utf8.RuneError) {
		return "", false
	}
	return text, c.Index == 0 && (len(c.Logprobs) == 0 || string(c.Logprobs) == "null")
}

// note keeps what the first run sends.
func (s *said) note(events []byte) {
	err := each(events, func(chunk map[string]json.RawMessage, choices []saidChoice) error {
		if s.id == nil {
			s.id, s.created = chunk["id"], chunk["created"]
		}
		for i := range choices {
			text, plain := choices[i].content()
			if !plain || choices[i].FinishReason != nil || len(s.text) > maxSaid {
				s.other = true
				return nil
			}
			s.text = append(s.text, text...)
		}
		return nil
	})
	if err != nil {
		s.other = true
	}
	s.pos = len(s.text)
}

// follow compares a later run's events with what was sent, and appends to dst
// what comes after it, as chunks of the same answer.
func (s *said) follow(dst, events []byte) ([]byte, error) {
	err := each(events, func(chunk map[string]json.RawMessage, choices []saidChoice) error {
		send := len(choices) == 0 // the totals
		for i := range choices {
			c := &choices[i]
			text, plain := c.content()
			if !plain {
				return errDiffers
			}
			n := min(len(text), len(s.text)-s.pos)
			if text[:n] != string(s.text[s.pos:s.pos+n]) {
				return errDiffers
			}
			s.pos += n
			if c.FinishReason != nil && !s.caughtUp() {
				return errDiffers
			}
			c.Delta = map[string]json.RawMessage{}
			if text = text[n:]; text != "" {
				quoted, err := json.Marshal(text)
				if err != nil {
					return errDiffers
				}
				c.Delta["content"] = quoted
				s.text = append(s.text, text...)
				s.pos = len(s.text)
			}
			send = send || text != "" || c.FinishReason != nil
		}
		if !send {
			return nil
		}
		var err error
		dst, err = s.append(dst, chunk, choices)
		return err
	})
	return dst, err
}

// append writes a later run's chunk under the first run's name.
func (s *said) append(dst []byte, chunk map[string]json.RawMessage, choices []saidChoice) ([]byte, error) {
	if choices == nil {
		choices = []saidChoice{}
	}
	list, err := json.Marshal(choices)
	if err != nil {
		return dst, errDiffers
	}
	chunk["choices"], chunk["id"], chunk["created"] = list, s.id, s.created
	for _, name := range []string{"id", "created"} {
		if chunk[name] == nil {
			delete(chunk, name)
		}
	}
	b, err := json.Marshal(chunk)
	if err != nil {
		return dst, errDiffers
	}
	return append(append(append(dst, "data: "...), b...), "\n\n"...), nil
}

// resumeElsewhere leases another backend for a second run of a stream that
// broke. It is false when there is none: then the stream ends with the error.
func (x *exchange) resumeElsewhere(l *loadbalance.Lease) (try, bool) {
	if x.spent() || x.ledger.moves >= x.rt.limits.moves || !l.MayRetry() {
		return try{}, false
	}
	next, err := x.model.Balancer.Pick(&x.pick)
	if err != nil {
		return try{}, false
	}
	x.ledger.moves++
	x.ledger.same = 0
	return try{lease: next, why: ReasonResume}, true
}
