package gemini

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
	"github.com/PPKunOfficial/berry-api/relay/dialect/vector"
)

// Embeddings are asked for in a batch, also one alone: its answer is the same
// for any number of texts. More than fit go out in several batches.

const (
	// batchTexts is how many texts Google takes in one batch.
	batchTexts = 100
	// maxTexts is how many OpenAI takes in one request, and clients send.
	maxTexts = 2048
)

// embeddingBatch is the body of batchEmbedContents.
type embeddingBatch struct {
	Requests []embeddingRequest `json:"requests"`
}

type embeddingRequest struct {
	Model      string        `json:"model"` // with its collection
	Content    embeddingText `json:"content"`
	Dimensions int64         `json:"outputDimensionality,omitempty"`
}

type embeddingText struct {
	Parts [1]struct {
		Text string `json:"text"`
	} `json:"parts"`
}

// embedded are the request's members that have a place in Gemini's form or are
// Berry's own business. The others are dropped by name.
var embedded = map[string]struct{}{"model": {}, "input": {}, "encoding_format": {}, "dimensions": {}, "backend": {}}

// encodeEmbeddings puts a request for vectors into Gemini's form.
func encodeEmbeddings(r *dialect.Request, model string) (sent []byte, err error) {
	var in map[string]json.RawMessage
	if err := json.Unmarshal(r.Body.Bytes(), &in); err != nil {
		return nil, chat.Refuse("", "the request body cannot be read")
	}
	texts, err := inputTexts(in["input"])
	if err != nil {
		return nil, err
	}
	dimensions, err := dimensionsOf(in["dimensions"])
	if err != nil {
		return nil, err
	}
	if f := string(in["encoding_format"]); !slices.Contains([]string{"", "null", `"float"`, `"base64"`}, f) {
		return nil, chat.Refuse("encoding_format", "encoding_format must be float or base64")
	}
	r.Vectors, r.Parts = len(texts), (len(texts)+batchTexts-1)/batchTexts
	from := min(r.Part*batchTexts, len(texts))
	var out embeddingBatch
	for _, text := range texts[from:min(from+batchTexts, len(texts))] {
		one := embeddingRequest{Model: qualified(model), Dimensions: dimensions}
		one.Content.Parts[0].Text = text
		out.Requests = append(out.Requests, one)
	}
	var dropped []string
	for name, v := range in {
		if _, ok := embedded[name]; !ok && string(v) != "null" {
			dropped = append(dropped, name)
		}
	}
	r.Dropped = chat.Dropped(dropped)
	return encoded(out)
}

// inputTexts are the texts of input: one, or a list. Tokens are numbers of
// another model's vocabulary.
func inputTexts(raw json.RawMessage) ([]string, error) {
	var one string
	if json.Unmarshal(raw, &one) == nil && len(raw) > 0 && raw[0] == '"' {
		return []string{one}, nil
	}
	var many []any
	if json.Unmarshal(raw, &many) != nil || len(many) == 0 {
		return nil, chat.Refuse("input", "input must be a text or a list of texts, with at least one in it")
	}
	if len(many) > maxTexts {
		return nil, chat.Refuse("input", "input must have no more than %d texts: send the others in another request", maxTexts)
	}
	texts := make([]string, len(many))
	for i, v := range many {
		text, ok := v.(string)
		if !ok {
			return nil, chat.Refuse("input", "input must be texts: this model's provider takes no tokens")
		}
		texts[i] = text
	}
	return texts, nil
}

func dimensionsOf(raw json.RawMessage) (int64, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return 0, nil
	}
	n, err := strconv.ParseInt(string(raw), 10, 32)
	if err != nil || n < 1 {
		return 0, chat.Refuse("dimensions", "dimensions must be a whole number from 1 up")
	}
	return n, nil
}

var errNoEmbeddings = errors.New("the answer is no embeddings")

// decodeEmbeddings turns Gemini's vectors, of one batch or several, into OpenAI's list.
func decodeEmbeddings(body []byte, m *dialect.Meta) ([]byte, dialect.Usage, error) {
	a := embeddings{base64: m.Base64}
	a.out = append(a.out, `{"object":"list","data":[`...)
	c := cursor.New(body)
	ok := utf8.Valid(body)
	for batches := 0; ok && (batches == 0 || !c.Done()); batches++ {
		from := c.Offset()
		ok = c.Object(func(key []byte) bool { return a.member(c, key) })
		if a.fault {
			return nil, dialect.Usage{}, inBand(body[from:])
		}
	}
	switch {
	case !ok || a.n == 0 || m.Vectors > 0 && a.n != m.Vectors: // which text lacks its vector cannot be told
		return nil, dialect.Usage{}, errNoEmbeddings
	}
	usage := dialect.Usage{Input: a.tokens}
	if a.tokens == 0 { // most models do not say
		usage = dialect.Usage{Input: max(1, m.InputBytes/dialect.BytesPerToken), Estimated: true}
	}
	tokens := strconv.Itoa(usage.Input)
	a.out = append(append(a.out, `],"model":`...), m.Model...)
	a.out = append(append(a.out, `,"usage":{"prompt_tokens":`...), tokens...)
	a.out = append(append(a.out, `,"total_tokens":`...), tokens...)
	return append(a.out, "}}"...), usage, nil
}

// embeddings is an answer in the making.
type embeddings struct {
	base64 bool
	out    []byte
	n      int // vectors so far
	tokens int
	fault  bool
}

// member takes a member of the answer.
func (a *embeddings) member(c *cursor.Cursor, key []byte) bool {
	switch {
	case string(key) == "embeddings" && c.Peek() == '[':
		return c.Array(func() bool { return a.one(c) })
	case string(key) == "error" && c.Peek() == '{':
		a.fault = true
	case string(key) == "usageMetadata" && c.Peek() == '{':
		var tokens int
		ok := c.Details(func(key []byte) *int {
			if string(key) == "promptTokenCount" {
				return &tokens
			}
			return nil
		})
		a.tokens += tokens
		return ok
	}
	_, ok := c.Value()
	return ok
}

// one takes one vector.
func (a *embeddings) one(c *cursor.Cursor) bool {
	var values []byte
	if c.Peek() != '{' || !c.Object(func(key []byte) bool {
		span, ok := c.Value()
		if string(key) == "values" {
			values = c.Bytes(span)
		}
		return ok
	}) {
		return false
	}
	if a.n > 0 {
		a.out = append(a.out, ',')
	}
	a.out = append(a.out, `{"object":"embedding","index":`...)
	a.out = strconv.AppendInt(a.out, int64(a.n), 10)
	a.out = append(a.out, `,"embedding":`...)
	a.n++
	var ok bool
	if a.base64 {
		a.out, ok = vector.AppendBase64(a.out, values)
	} else {
		ok = len(values) > 0 && values[0] == '['
		a.out = append(a.out, values...)
	}
	a.out = append(a.out, '}')
	return ok
}

// encoded is v as JSON, its texts as they are.
func encoded(v any) ([]byte, error) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return body.Bytes(), err
}
