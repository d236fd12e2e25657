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
	Citations []Citation
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

// Append appends the answer as a chat.completion. Content, Refusal, the
// citations and the tool calls are left out or null where they are empty, the reasoning also
// where m says so.
func (a *Answer) Append(dst []byte, m *dialect.Meta) []byte {
	dst = appendHead(dst, "chat.completion", answerHead{a.ID, a.Created, m.Model})
	dst = append(dst, `{"index":0,"message":{"role":"assistant","content":`...)
	dst = append(textOrNull(dst, a.Content), `,"refusal":`...)
	dst = textOrNull(dst, a.Refusal)
	if a.Reasoning != "" && !m.DropReasoning {
		dst = AppendText(append(dst, `,"reasoning_content":`...), a.Reasoning)
	}
	if len(a.Citations) > 0 {
		dst = appendAnnotations(append(dst, ','), a.Citations)
	}
	if m.OlderCalls {
		dst = a.appendCall(dst)
	} else {
		dst = a.appendCalls(dst)
	}
	dst = append(append(append(append(append(dst, `},"logprobs":`...), cmp.Or(a.Logprobs, "null")...), `,"finish_reason":"`...), wording(a.Finish, m.OlderCalls)...), '"')
	if a.Native != "" {
		dst = AppendText(append(dst, `,"native_finish_reason":`...), a.Native)
	}
	dst = append(dst, `}],"usage":`...)
	return append(AppendUsage(dst, a.Usage), '}')
}

func (a *Answer) appendCalls(dst []byte) []byte {
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
	return dst
}

// appendCall is appendCalls for the older form, which has room for one.
func (a *Answer) appendCall(dst []byte) []byte {
	if len(a.Calls) == 0 {
		return dst
	}
	dst = AppendText(append(dst, `,"function_call":{"name":`...), a.Calls[0].Name)
	return append(AppendText(append(dst, `,"arguments":`...), a.Calls[0].Arguments), '}')
}

func textOrNull(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	return AppendText(dst, s)
}
