package gemini

import (
	"crypto/rand"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
)

// answerID is the id of the client's answer: Gemini's own, which old models
// and imitations leave out.
func answerID(own string) string {
	if own != "" {
		return own
	}
	return "chatcmpl-" + rand.Text()
}

// Decode implements dialect.Dialect. A list of answers, which is how a stream
// comes from a server that does not know alt=sse, is one answer in pieces.
func (d *Dialect) Decode(body []byte, m *dialect.Meta) ([]byte, dialect.Usage, error) {
	switch m.Endpoint {
	case dialect.Embeddings:
		return decodeEmbeddings(body, m)
	case dialect.ChatTokens:
		return decodeCount(body)
	}
	w := whole{calls: calls{signatures: d.signatures}}
	if !utf8.Valid(body) || !w.read(cursor.New(body)) {
		if w.fault != nil {
			return nil, dialect.Usage{}, inBand(w.fault)
		}
		return nil, dialect.Usage{}, errNoAnswer
	}
	if _, alone := ending(w.reason); w.out.Refusal == "" && (w.reason == "" || !w.said && !alone) {
		return nil, dialect.Usage{}, errNoAnswer
	}
	w.out.ID, w.out.Created = answerID(w.out.ID), time.Now().Unix()
	w.out.Content, w.out.Reasoning = w.content.String(), w.reasoning.String()
	w.out.Logprobs = wrapLogprobs(w.logprobs)
	w.out.Finish = finish(w.reason, w.calls.n)
	if w.out.Refusal != "" {
		w.out.Finish = chat.FinishFilter
	}
	return w.out.Append(nil, m), w.out.Usage, nil
}

// whole is a whole answer in the making.
type whole struct {
	out                chat.Answer
	content, reasoning strings.Builder
	calls              calls
	said               bool
	logprobs           []byte // of the tokens, with commas between them
	reason             string
	fault              []byte // the response that is an error
}

// read takes the answer, or the list of its pieces; it is false when it is
// none, or an error.
func (w *whole) read(c *cursor.Cursor) bool {
	var a answer
	one := func() bool {
		c.Peek()
		start := c.Offset()
		if !a.readObject(c) {
			return false
		}
		if a.fault != nil {
			w.fault = c.Bytes(dialect.Span{Start: start, End: c.Offset()})
		}
		if w.fault != nil || !a.known {
			return false
		}
		w.take(&a)
		return true
	}
	if c.Peek() != '[' {
		return one() && c.Done()
	}
	return c.Array(one) && c.Done()
}

func (w *whole) take(a *answer) {
	if w.out.ID == "" {
		w.out.ID = unquoted(a.id)
	}
	if !a.usage.IsZero() {
		w.out.Usage = a.usage
	}
	if a.reason != "" {
		w.reason = a.reason
	}
	w.logprobs = logprobs(w.logprobs, a.logprobs)
	for i := range a.parts {
		p := &a.parts[i]
		switch {
		case p.call != nil:
			h := w.calls.head(w.out.ID, p)
			w.out.Calls = append(w.out.Calls, chat.AnswerCall{ID: h.ID, Name: h.Name, Arguments: p.arguments(), Extra: h.Extra})
		case p.data != nil:
			w.content.WriteString(picture(p.data))
		case p.thought:
			w.reasoning.WriteString(unquoted(p.text))
		default:
			w.content.WriteString(unquoted(p.text))
		}
		w.said = w.said || p.call != nil || p.data != nil || !isEmpty(p.text)
	}
	if !a.candidate && a.blocked != "" && !w.said {
		w.out.Refusal = a.refusal()
	}
}
