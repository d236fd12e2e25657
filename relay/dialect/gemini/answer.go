package gemini

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/tidwall/gjson"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
)

// answer is one GenerateContentResponse: a whole answer or an event of a stream.
type answer struct {
	parts       gjson.Result // of the first candidate
	reason      string       // its finish reason, "" if there is none yet
	logprobs    gjson.Result // logprobsResult
	candidate   bool         // there is one
	blocked     string       // why the prompt was refused, "" if it was not
	blockedText string
	usage       gjson.Result // usageMetadata
	id          string
	fault       gjson.Result // error
}

// read takes a response apart; it is false when data is nothing of the kind.
func (a *answer) read(root gjson.Result) bool {
	*a = answer{}
	known := false
	root.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "candidates":
			known = true
			v.ForEach(func(_, c gjson.Result) bool {
				if c.Get("index").Int() == 0 && !a.candidate {
					a.readCandidate(c)
				}
				return true
			})
		case "promptFeedback":
			known = true
			a.blocked, a.blockedText = v.Get("blockReason").Str, v.Get("blockReasonMessage").Str
		case "usageMetadata":
			known = true
			a.usage = v
		case "responseId":
			a.id = v.Str
		case "error":
			if v.Type != gjson.Null {
				a.fault = v
			}
		}
		return true
	})
	return known || a.fault.Exists()
}

func (a *answer) readCandidate(c gjson.Result) {
	a.candidate = true
	c.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "content":
			a.parts = member(v, "parts")
		case "finishReason":
			a.reason = v.Str
		case "logprobsResult":
			a.logprobs = v
		}
		return true
	})
}

// piece is one part of a candidate.
type piece struct {
	text      gjson.Result // a string; its Raw is JSON as it must go out
	thought   bool
	call      gjson.Result // functionCall
	signature string
	data      gjson.Result // inlineData
}

func readPiece(p gjson.Result) (out piece) {
	p.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "text":
			if v.Type == gjson.String {
				out.text = v
			}
		case "thought":
			out.thought = v.Type == gjson.True
		case "functionCall":
			out.call = v
		case "thoughtSignature":
			out.signature = v.Str
		case "inlineData":
			out.data = v
		}
		return true
	})
	return out
}

// picture is generated data as a client of chat completions can see it: an
// image in Markdown.
func picture(data gjson.Result) string {
	return "![image](data:" + data.Get("mimeType").Str + ";base64," + data.Get("data").Str + ")"
}

// calls numbers and names the function calls of one answer.
type calls struct {
	n          int
	nonce      string
	signatures *Signatures
}

// head is how the next call goes out. Its id is made from the answer's id, the
// call's place and its text, so that it is unlike that of any other call.
// Gemini's own ids stay inside: they are neither always there nor unique.
func (c *calls) head(answerID string, p piece) chat.CallHead {
	if answerID == "" {
		if c.nonce == "" {
			c.nonce = rand.Text()
		}
		answerID = c.nonce
	}
	sum := sha256.New()
	sum.Write([]byte(answerID))
	sum.Write(binary.BigEndian.AppendUint64([]byte{0}, uint64(c.n)))
	sum.Write([]byte(p.call.Raw))
	h := chat.CallHead{
		Index: c.n, ID: "call_" + hex.EncodeToString(sum.Sum(nil)[:16]), Name: p.call.Get("name").Str,
	}
	if p.signature != "" {
		h.Extra = string(append(chat.AppendText([]byte(`"extra_content":{"google":{"thought_signature":`), p.signature), "}}"...))
	}
	c.signatures.put(signed{id: h.ID, signature: p.signature, own: p.call.Get("id").Str})
	c.n++
	return h
}

// arguments are a call's, as JSON text.
func (p *piece) arguments() string {
	args := p.call.Get("args")
	if !args.IsObject() {
		return "{}"
	}
	return compact(args.Raw)
}

// readUsage takes the totals. Thoughts are output, and what tools put into the
// prompt is input.
func readUsage(v gjson.Result) dialect.Usage {
	n := func(key string) int { return int(max(0, min(v.Get(key).Int(), 1<<31-1))) }
	thoughts := n("thoughtsTokenCount")
	return dialect.Usage{
		Input:       n("promptTokenCount") + n("toolUsePromptTokenCount"),
		Output:      n("candidatesTokenCount") + thoughts,
		CachedInput: n("cachedContentTokenCount"),
		Reasoning:   thoughts,
	}
}

// ending says what a finish reason means: the client's word for it, and
// whether an answer without content may end so. What is not known is an end as
// any other where there is content, and a failure where there is none.
func ending(reason string) (finish string, alone bool) {
	switch reason {
	case "STOP":
		return chat.FinishStop, true
	case "MAX_TOKENS", "CONTINUATION":
		return chat.FinishLength, true
	case "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE",
		"IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION":
		return chat.FinishFilter, true
	}
	return chat.FinishStop, false
}

// finish is the finish reason of an answer with so many calls.
func finish(reason string, calls int) string {
	word, _ := ending(reason)
	if word == chat.FinishStop && calls > 0 {
		return chat.FinishTools
	}
	return word
}

// refusal is what the client is told of a prompt that was refused.
func (a *answer) refusal() string {
	if a.blockedText != "" {
		return a.blockedText
	}
	return "The prompt was blocked by the provider (" + a.blocked + ")."
}
