package gemini

import (
	"github.com/tidwall/gjson"

	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
)

// logprobs appends the log probabilities of a candidate's tokens to those
// before, each an object of OpenAI's form.
func logprobs(dst, raw []byte) []byte {
	if raw == nil {
		return dst
	}
	result := gjson.ParseBytes(raw)
	others := member(result, "topCandidates").Array()
	for i, chosen := range member(result, "chosenCandidates").Array() {
		if len(dst) > 0 {
			dst = append(dst, ',')
		}
		dst = append(token(dst, chosen), `,"top_logprobs":[`...)
		if i < len(others) {
			for j, one := range member(others[i], "candidates").Array() {
				if j > 0 {
					dst = append(dst, ',')
				}
				dst = append(token(dst, one), '}')
			}
		}
		dst = append(dst, "]}"...)
	}
	return dst
}

// token appends a token's object without its closing brace. Gemini does not
// give its bytes.
func token(dst []byte, t gjson.Result) []byte {
	dst = chat.AppendText(append(dst, `{"token":`...), member(t, "token").Str)
	logprob := "0"
	if v := member(t, "logProbability"); v.Type == gjson.Number {
		logprob = v.Raw
	}
	dst = append(append(dst, `,"logprob":`...), logprob...)
	return append(dst, `,"bytes":null`...)
}

// wrapLogprobs is a choice's logprobs; "" for none.
func wrapLogprobs(tokens []byte) string {
	if len(tokens) == 0 {
		return ""
	}
	return `{"content":[` + string(tokens) + `],"refusal":null}`
}
