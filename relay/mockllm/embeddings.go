package mockllm

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"net/http"
	"strconv"
	"strings"
)

const (
	// dimensions is how long a vector is of which the request does not say.
	dimensions = 8
	// maxDimensions is the longest that is made.
	maxDimensions = 4096
	// geminiBatch is the most texts of one batch, as the real one has it.
	geminiBatch = 100
)

// Vector is what the behaviour answers for a text: the same for the same text, each number a multiple of 1/128 from -1
// to 1, so that it is the same in every encoding.
func Vector(text string, length int) []float32 {
	out := make([]float32, length)
	for i := range out {
		h := fnv.New64a()
		fmt.Fprintf(h, "%d %s", i, text)
		out[i] = float32(int64(h.Sum64()%257)-128) / 128
	}
	return out
}

func vectorJSON(v []float32) string {
	b := []byte{'['}
	for i, f := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendFloat(b, float64(f), 'g', -1, 32)
	}
	return string(append(b, ']'))
}

func vectorBase64(v []float32) string {
	var raw []byte
	for _, f := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(f))
	}
	return quote(base64.StdEncoding.EncodeToString(raw))
}

// openAIEmbeddings answers a request for vectors.
func openAIEmbeddings(b *Behaviour, r *Seen) []Step {
	var in struct {
		Model      string          `json:"model"`
		Input      json.RawMessage `json:"input"`
		Encoding   string          `json:"encoding_format"`
		Dimensions *int            `json:"dimensions"`
	}
	if err := json.Unmarshal(r.Body, &in); err != nil {
		return openAIInvalid("", "The body of the request is not valid: "+err.Error())
	}
	inputs, err := embeddingInputs(in.Input)
	length := dimensions
	if in.Dimensions != nil {
		length = *in.Dimensions
	}
	switch {
	case in.Model == "":
		return openAIInvalid("model", "Missing required parameter: 'model'")
	case err != nil:
		return openAIInvalid("input", err.Error())
	case in.Encoding != "" && in.Encoding != "float" && in.Encoding != "base64":
		return openAIInvalid("encoding_format", "Invalid 'encoding_format': want float or base64")
	case length < 1 || length > maxDimensions:
		return openAIInvalid("dimensions", "Invalid 'dimensions'")
	case !b.has(in.Model):
		return openAINoModel(in.Model)
	}
	var data []string
	words := 0
	for i, text := range inputs {
		shown := vectorJSON(Vector(text, length))
		if in.Encoding == "base64" {
			shown = vectorBase64(Vector(text, length))
		}
		data = append(data, fmt.Sprintf(`{"object":"embedding","index":%d,"embedding":%s}`, i, shown))
		words += len(strings.Fields(text))
	}
	n := tokens(words)
	return []Step{Sleep(b.Latency), JSON(http.StatusOK, nil, fmt.Sprintf(`{"object":"list","data":[%s],"model":%s,"usage":{"prompt_tokens":%d,"total_tokens":%d}}`,
		strings.Join(data, ","), quote(in.Model), n, n))}
}

// embeddingInputs are the texts of input; a list of tokens counts as the text that it is written as.
func embeddingInputs(raw json.RawMessage) ([]string, error) {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		list = []json.RawMessage{raw}
	}
	var numbers []int
	if len(list) > 0 && json.Unmarshal(raw, &numbers) == nil {
		return []string{string(raw)}, nil
	}
	if len(list) == 0 || len(raw) == 0 {
		return nil, errors.New("'input' cannot be empty")
	}
	var texts []string
	for _, one := range list {
		var text string
		switch {
		case json.Unmarshal(one, &text) == nil && text != "":
			texts = append(texts, text)
		case json.Unmarshal(one, &numbers) == nil:
			texts = append(texts, string(one))
		default:
			return nil, errors.New("'input' must be texts or tokens, none of them empty")
		}
	}
	return texts, nil
}

// geminiEmbeddings answers a batch. A key that it does not name is refused, as the real API does.
func geminiEmbeddings(b *Behaviour, r *Seen, model string) []Step {
	var in struct {
		Requests []struct {
			Model   string `json:"model"`
			Content struct {
				Role  string `json:"role"`
				Parts []struct {
					Text *string `json:"text"`
				} `json:"parts"`
			} `json:"content"`
			Dimensions int `json:"outputDimensionality"`
		} `json:"requests"`
	}
	invalid := func(message string) []Step {
		return refuse(http.StatusBadRequest, GeminiFault(400, "INVALID_ARGUMENT", message))
	}
	d := json.NewDecoder(strings.NewReader(string(r.Body)))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return invalid(err.Error())
	}
	if !b.has(model) {
		return refuse(http.StatusNotFound, GeminiFault(404, "NOT_FOUND", "models/"+model+" is not found for API version v1beta"))
	}
	if len(in.Requests) == 0 || len(in.Requests) > geminiBatch {
		return invalid("* BatchEmbedContentsRequest.requests: 1 to 100 requests can be in one batch")
	}
	var vectors []string
	for _, one := range in.Requests {
		length := dimensions
		if one.Dimensions != 0 {
			length = one.Dimensions
		}
		switch {
		case one.Model != "models/"+model:
			return invalid("model in the batch is " + one.Model)
		case len(one.Content.Parts) != 1 || one.Content.Parts[0].Text == nil || *one.Content.Parts[0].Text == "":
			return invalid("* EmbedContentRequest.content: contents is not specified")
		case length < 1 || length > maxDimensions:
			return invalid("* EmbedContentRequest.output_dimensionality: out of range")
		}
		vectors = append(vectors, `{"values":`+vectorJSON(Vector(*one.Content.Parts[0].Text, length))+`}`)
	}
	return []Step{Sleep(b.Latency), JSON(http.StatusOK, nil, `{"embeddings":[`+strings.Join(vectors, ",")+`]}`)}
}

// openAIModerations answers a request for a verdict: what has the word "harm" in it is flagged.
func openAIModerations(b *Behaviour, r *Seen) []Step {
	var in struct {
		Model string          `json:"model"`
		Input json.RawMessage `json:"input"`
	}
	if err := json.Unmarshal(r.Body, &in); err != nil || len(in.Input) == 0 {
		return openAIInvalid("input", "Missing required parameter: 'input'")
	}
	if in.Model == "" {
		in.Model = "omni-moderation-latest"
	}
	if !b.has(in.Model) {
		return openAINoModel(in.Model)
	}
	flagged, score := strings.Contains(string(in.Input), "harm"), 0.01
	if flagged {
		score = 0.99
	}
	return []Step{Sleep(b.Latency), JSON(http.StatusOK, nil, fmt.Sprintf(`{"id":"modr-1","model":%s,"results":[{"flagged":%t,`+
		`"categories":{"violence":%[2]t},"category_scores":{"violence":%g},"category_applied_input_types":{"violence":["text"]}}]}`,
		quote(in.Model), flagged, score))}
}
