package gemini

import (
	"crypto/rand"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tidwall/gjson"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
)

// quickCheck is the longest text that gjson checks: it is the faster one, but
// goes as deep as a text nests, and what a provider sends must not exhaust the
// stack.
const quickCheck = 256 << 10

// isJSON reports whether data is one JSON text in UTF-8.
func isJSON(data []byte) bool {
	if len(data) > quickCheck {
		return jsontext.Value(data).IsValid(jsontext.AllowDuplicateNames(true))
	}
	return gjson.ValidBytes(data) && utf8.Valid(data)
}

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
	if !isJSON(body) {
		return nil, dialect.Usage{}, errNoAnswer
	}
	root := gjson.ParseBytes(body)
	all := []gjson.Result{root}
	if root.IsArray() {
		all = root.Array()
	}
	w := whole{calls: calls{signatures: d.signatures}}
	for _, one := range all {
		var a answer
		known := a.read(one)
		if a.fault.Exists() {
			return nil, dialect.Usage{}, inBand([]byte(one.Raw))
		}
		if !known {
			return nil, dialect.Usage{}, errNoAnswer
		}
		w.take(&a)
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
}

func (w *whole) take(a *answer) {
	if w.out.ID == "" {
		w.out.ID = a.id
	}
	if u := readUsage(a.usage); !u.IsZero() {
		w.out.Usage = u
	}
	if a.reason != "" {
		w.reason = a.reason
	}
	w.logprobs = logprobs(w.logprobs, a.logprobs)
	a.parts.ForEach(func(_, v gjson.Result) bool {
		p := readPiece(v)
		switch {
		case p.call.Exists():
			h := w.calls.head(w.out.ID, p)
			w.out.Calls = append(w.out.Calls, chat.AnswerCall{ID: h.ID, Name: h.Name, Arguments: p.arguments(), Extra: h.Extra})
		case p.data.IsObject():
			w.content.WriteString(picture(p.data))
		case p.thought:
			w.reasoning.WriteString(p.text.Str)
		default:
			w.content.WriteString(p.text.Str)
		}
		w.said = w.said || p.call.Exists() || p.data.IsObject() || p.text.Str != ""
		return true
	})
	if !a.candidate && a.blocked != "" && !w.said {
		w.out.Refusal = a.refusal()
	}
}
