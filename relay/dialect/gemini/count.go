package gemini

import (
	"errors"

	"github.com/tidwall/gjson"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
)

// countRequest is the body of countTokens. It could hold the contents alone, but
// then neither the system's words nor the tools would be counted.
type countRequest struct {
	Of countedRequest `json:"generateContentRequest"`
}

// countedRequest is that of generateContent. The model, which stands in the
// address, must be named here too.
type countedRequest struct {
	Model string `json:"model"` // with its collection
	*request
}

var errNoCount = errors.New("the answer is no count of tokens")

// decodeCount reads the answer of countTokens. What it tells of parts of the
// total, such as what is cached, is not added to it.
func decodeCount(body []byte) ([]byte, dialect.Usage, error) {
	if !cursor.Valid(body) {
		return nil, dialect.Usage{}, errNoCount
	}
	in := gjson.ParseBytes(body)
	if in.Get("error").IsObject() {
		return nil, dialect.Usage{}, inBand(body)
	}
	out, ok := chat.Count(in.Get("totalTokens").Num) // that of a text is 0
	if !ok {
		return nil, dialect.Usage{}, errNoCount
	}
	return out, dialect.Usage{}, nil // counting is free
}
