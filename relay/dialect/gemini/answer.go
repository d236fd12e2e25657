package gemini

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/tidwall/gjson"

	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
)

// picture is generated data as a client of chat completions can see it: an
// image in Markdown.
func picture(raw []byte) string {
	data := gjson.ParseBytes(raw)
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
func (c *calls) head(answerID string, p *piece) chat.CallHead {
	if answerID == "" {
		if c.nonce == "" {
			c.nonce = rand.Text()
		}
		answerID = c.nonce
	}
	sum := sha256.New()
	sum.Write([]byte(answerID))
	sum.Write(binary.BigEndian.AppendUint64([]byte{0}, uint64(c.n)))
	sum.Write(p.call)
	h := chat.CallHead{
		Index: c.n, ID: "call_" + hex.EncodeToString(sum.Sum(nil)[:16]), Name: gjson.GetBytes(p.call, "name").Str,
	}
	signature := unquoted(p.signature)
	if signature != "" {
		h.Extra = string(append(chat.AppendText([]byte(`"extra_content":{"google":{"thought_signature":`), signature), "}}"...))
	}
	c.signatures.put(signed{id: h.ID, signature: signature, own: gjson.GetBytes(p.call, "id").Str})
	c.n++
	return h
}

// arguments are a call's, as JSON text.
func (p *piece) arguments() string {
	args := gjson.GetBytes(p.call, "args")
	if !args.IsObject() {
		return "{}"
	}
	return compact(args.Raw)
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
