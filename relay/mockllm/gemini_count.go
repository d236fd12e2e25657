package mockllm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// geminiCount answers how many tokens a request would be. A key that it does not name is refused, as the real API does.
func geminiCount(b *Behaviour, r *Seen, model string) []Step {
	if !b.has(model) {
		return refuse(http.StatusNotFound, GeminiFault(404, "NOT_FOUND", "models/"+model+" is not found for API version v1beta, or is not supported for countTokens"))
	}
	in, err := readGeminiCount(r.Body, model)
	if err != nil {
		return refuse(http.StatusBadRequest, GeminiFault(400, "INVALID_ARGUMENT", err.Error()))
	}
	history, _ := in.texts()
	n := tokens(len(strings.Fields(history)))
	return []Step{Sleep(b.Latency), JSON(http.StatusOK, nil, fmt.Sprintf(`{"totalTokens":%d,"promptTokensDetails":[{"modality":"TEXT","tokenCount":%d}]}`, n, n))}
}

// readGeminiCount parses the body of countTokens, which holds contents, or a whole request that names its model again.
func readGeminiCount(body []byte, model string) (*geminiInput, error) {
	var in struct {
		Contents json.RawMessage            `json:"contents"`
		Request  map[string]json.RawMessage `json:"generateContentRequest"`
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return nil, fmt.Errorf("Invalid JSON payload received: %w", err) //nolint:staticcheck // as the API writes it
	}
	switch {
	case in.Contents == nil && in.Request == nil:
		return nil, errors.New("one of generate_content_request and contents must be set")
	case in.Contents != nil && in.Request != nil:
		return nil, errors.New("contents and generate_content_request are mutually exclusive")
	case in.Contents != nil:
		in.Request = map[string]json.RawMessage{"contents": in.Contents}
	default:
		var named string
		if err := json.Unmarshal(in.Request["model"], &named); err != nil || named != "models/"+model {
			return nil, fmt.Errorf("generate_content_request.model: want %q", "models/"+model)
		}
		delete(in.Request, "model")
	}
	whole, err := json.Marshal(in.Request)
	if err != nil {
		return nil, err
	}
	return readGemini(whole, model)
}
