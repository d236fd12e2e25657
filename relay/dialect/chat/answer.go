package chat

import (
	"cmp"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// Answer is one whole answer with one choice, for Append to write.
type Answer struct {
	ID        string
	Created   int64 // seconds since 1970
	Content   string
	Reasoning string
	Refusal   string
	Calls     []AnswerCall
	Logprobs  string // the choice's log probabilities, as JSON; "" for none
	Finish    string // one of the finish reasons
	Native    string // as for Chunks.Finish
	Usage     dialect.Usage
}

// AnswerCall is one tool call of an answer.
type AnswerCall struct {
	ID, Name  string
	Arguments string // JSON, as text
	Extra     string // as for CallHead
}

// Append appends the answer as a chat.completion. Content, Refusal and the
// tool calls are left out or null where they are empty, the reasoning also
// where m says so.
func (a *Answer) Append(dst []byte, m *dialect.Meta) []byte {
	dst = appendHead(dst, "chat.completion", answerHead{a.ID, a.Created, m.Model})
	dst = append(dst, `{"index":0,"message":{"role":"assistant","content":`...)
	dst = append(textOrNull(dst, a.Content), `,"refusal":`...)
	dst = textOrNull(dst, a.Refusal)
	if a.Reasoning != "" && !m.DropReasoning {
		dst = AppendText(append(dst, `,"reasoning_content":`...), a.Reasoning)
	}
	for i, c := range a.Calls {
		if i == 0 {
			dst = append(dst, `,"tool_calls":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = AppendText(append(dst, `{"id":`...), c.ID)
		dst = AppendText(append(dst, `,"type":"function","function":{"name":`...), c.Name)
		dst = append(AppendText(append(dst, `,"arguments":`...), c.Arguments), '}')
		if c.Extra != "" {
			dst = append(append(dst, ','), c.Extra...)
		}
		dst = append(dst, '}')
	}
	if len(a.Calls) > 0 {
		dst = append(dst, ']')
	}
	dst = append(append(append(append(append(dst, `},"logprobs":`...), cmp.Or(a.Logprobs, "null")...), `,"finish_reason":"`...), a.Finish...), '"')
	if a.Native != "" {
		dst = AppendText(append(dst, `,"native_finish_reason":`...), a.Native)
	}
	dst = append(dst, `}],"usage":`...)
	return append(AppendUsage(dst, a.Usage), '}')
}

func textOrNull(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	return AppendText(dst, s)
}
