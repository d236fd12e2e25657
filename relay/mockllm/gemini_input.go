package mockllm

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// geminiInput is the body of generateContent. A key that it does not name is refused, as the real API does.
type geminiInput struct {
	Contents          []geminiContent `json:"contents"`
	SystemInstruction *geminiContent  `json:"systemInstruction"`
	Tools             []struct {
		FunctionDeclarations []geminiFunction `json:"functionDeclarations"`
	} `json:"tools"`
	ToolConfig *struct {
		FunctionCallingConfig struct {
			Mode                 string   `json:"mode"`
			AllowedFunctionNames []string `json:"allowedFunctionNames"`
		} `json:"functionCallingConfig"`
	} `json:"toolConfig"`
	GenerationConfig geminiGeneration `json:"generationConfig"`
	SafetySettings   []struct {
		Category  string `json:"category"`
		Threshold string `json:"threshold"`
	} `json:"safetySettings"`
	CachedContent string `json:"cachedContent"`
}

type geminiContent struct {
	Role  string       `json:"role"`
	Parts []geminiPart `json:"parts"`
}

type geminiPart struct {
	Text       *string `json:"text"`
	InlineData *struct {
		MIMEType string `json:"mimeType"`
		Data     []byte `json:"data"`
	} `json:"inlineData"`
	FileData *struct {
		MIMEType string `json:"mimeType"`
		FileURI  string `json:"fileUri"`
	} `json:"fileData"`
	FunctionCall *struct {
		ID   string         `json:"id"`
		Name string         `json:"name"`
		Args map[string]any `json:"args"`
	} `json:"functionCall"`
	FunctionResponse *struct {
		ID       string         `json:"id"`
		Name     string         `json:"name"`
		Response map[string]any `json:"response"`
	} `json:"functionResponse"`
	Thought          bool   `json:"thought"`
	ThoughtSignature string `json:"thoughtSignature"`
}

type geminiFunction struct {
	Name                 string          `json:"name"`
	Description          string          `json:"description"`
	Parameters           *geminiSchema   `json:"parameters"`
	ParametersJSONSchema json.RawMessage `json:"parametersJsonSchema"`
}

type geminiGeneration struct {
	Temperature        *float64        `json:"temperature"`
	TopP               *float64        `json:"topP"`
	TopK               *float64        `json:"topK"`
	CandidateCount     *int            `json:"candidateCount"`
	MaxOutputTokens    *int            `json:"maxOutputTokens"`
	StopSequences      []string        `json:"stopSequences"`
	Seed               *int64          `json:"seed"`
	PresencePenalty    *float64        `json:"presencePenalty"`
	FrequencyPenalty   *float64        `json:"frequencyPenalty"`
	ResponseLogprobs   bool            `json:"responseLogprobs"`
	Logprobs           *int            `json:"logprobs"`
	ResponseMIMEType   string          `json:"responseMimeType"`
	ResponseSchema     *geminiSchema   `json:"responseSchema"`
	ResponseJSONSchema json.RawMessage `json:"responseJsonSchema"`
	ThinkingConfig     *struct {
		IncludeThoughts bool   `json:"includeThoughts"`
		ThinkingBudget  *int   `json:"thinkingBudget"`
		ThinkingLevel   string `json:"thinkingLevel"`
	} `json:"thinkingConfig"`
}

// readGemini parses a request and checks it as the real one is checked.
func readGemini(body []byte, model string) (*geminiInput, error) {
	in := &geminiInput{}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(in); err != nil {
		return nil, fmt.Errorf("Invalid JSON payload received: %w", err) //nolint:staticcheck // as the API writes it
	}
	return in, errors.Join(in.checkContents(), in.checkTools(), in.checkGeneration(), in.checkSignatures(model))
}

func (in *geminiInput) checkContents() error {
	if len(in.Contents) == 0 {
		return errors.New("contents are not specified")
	}
	if in.Contents[0].Role == "model" {
		return errors.New("the first content must be of the user")
	}
	for i, c := range in.Contents {
		if c.Role != "user" && c.Role != "model" {
			return fmt.Errorf("contents[%d].role: want user or model, got %q", i, c.Role)
		}
		if len(c.Parts) == 0 {
			return fmt.Errorf("contents[%d].parts must not be empty", i)
		}
		for j := range c.Parts {
			if err := c.Parts[j].check(); err != nil {
				return fmt.Errorf("contents[%d].parts[%d]: %w", i, j, err)
			}
		}
		if c.Role != "model" || len(c.calls()) == 0 {
			continue
		}
		if i > 0 && in.Contents[i-1].Role == "model" {
			return fmt.Errorf("contents[%d]: a function call turn comes immediately after a user turn or after a function response turn", i)
		}
		if i+1 == len(in.Contents) {
			continue
		}
		if calls, results := c.calls(), in.Contents[i+1].results(); !slices.Equal(calls, results) {
			return fmt.Errorf("contents[%d]: the function responses %v must be those of the function calls %v", i+1, results, calls)
		}
	}
	if s := in.SystemInstruction; s != nil && len(s.Parts) == 0 {
		return errors.New("systemInstruction.parts must not be empty")
	}
	return nil
}

func (c *geminiContent) calls() (names []string) {
	for _, p := range c.Parts {
		if p.FunctionCall != nil {
			names = append(names, p.FunctionCall.Name)
		}
	}
	return names
}

func (c *geminiContent) results() (names []string) {
	for _, p := range c.Parts {
		if p.FunctionResponse != nil {
			names = append(names, p.FunctionResponse.Name)
		}
	}
	return names
}

func (p *geminiPart) check() error {
	n := 0
	for _, set := range []bool{p.Text != nil, p.InlineData != nil, p.FileData != nil, p.FunctionCall != nil, p.FunctionResponse != nil} {
		if set {
			n++
		}
	}
	switch {
	case n != 1:
		return fmt.Errorf("required oneof field 'data' must have one initialised field, got %d", n)
	case p.Text != nil && *p.Text == "":
		return errors.New("text must not be empty")
	case p.InlineData != nil && (p.InlineData.MIMEType == "" || len(p.InlineData.Data) == 0):
		return errors.New("inlineData needs a mimeType and data")
	case p.FunctionCall != nil && (p.FunctionCall.Name == "" || p.FunctionCall.Args == nil):
		return errors.New("functionCall needs a name and args")
	case p.FunctionResponse != nil && (p.FunctionResponse.Name == "" || p.FunctionResponse.Response == nil):
		return errors.New("functionResponse needs a name and a response")
	}
	if _, err := base64.RawURLEncoding.DecodeString(strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(p.ThoughtSignature)); err != nil {
		return errors.New("thoughtSignature must be base64")
	}
	return nil
}

// checkSignatures wants a thought signature with the first function call of each content of the current turn.
func (in *geminiInput) checkSignatures(model string) error {
	if !strings.HasPrefix(model, "gemini-3") {
		return nil
	}
	for i := len(in.Contents) - 1; i >= 0; i-- {
		c := &in.Contents[i]
		if c.Role == "user" {
			if len(c.results()) == 0 {
				break // the turn began here
			}
			continue
		}
		for _, p := range c.Parts {
			if p.FunctionCall == nil {
				continue
			}
			if p.ThoughtSignature == "" {
				return fmt.Errorf("Function call is missing a thought_signature in functionCall parts: contents[%d], %s", i, p.FunctionCall.Name) //nolint:staticcheck // as the API writes it
			}
			break
		}
	}
	return nil
}

func (in *geminiInput) checkGeneration() error {
	g := &in.GenerationConfig
	schema := g.ResponseSchema != nil || g.ResponseJSONSchema != nil
	switch {
	case len(g.StopSequences) > 5:
		return errors.New("generationConfig.stopSequences: at most 5")
	case g.CandidateCount != nil && (*g.CandidateCount < 1 || *g.CandidateCount > 8):
		return errors.New("generationConfig.candidateCount: 1 to 8")
	case g.MaxOutputTokens != nil && *g.MaxOutputTokens < 1:
		return errors.New("generationConfig.maxOutputTokens must be positive")
	case g.Temperature != nil && (*g.Temperature < 0 || *g.Temperature > 2):
		return errors.New("generationConfig.temperature: 0 to 2")
	case g.ResponseSchema != nil && g.ResponseJSONSchema != nil:
		return errors.New("generationConfig: one of responseSchema and responseJsonSchema")
	case schema && g.ResponseMIMEType != "application/json":
		return errors.New("generationConfig.responseMimeType must be application/json for a schema")
	}
	if t := g.ThinkingConfig; t != nil {
		switch {
		case t.ThinkingBudget != nil && t.ThinkingLevel != "":
			return errors.New("you can only set only one of thinking budget and thinking level")
		case t.ThinkingLevel != "" && !slices.Contains([]string{"MINIMAL", "LOW", "MEDIUM", "HIGH"}, t.ThinkingLevel):
			return fmt.Errorf("generationConfig.thinkingConfig.thinkingLevel: %q", t.ThinkingLevel)
		}
	}
	if err := g.ResponseSchema.check(); err != nil {
		return fmt.Errorf("generationConfig.responseSchema: %w", err)
	}
	if err := checkJSONSchema(g.ResponseJSONSchema); err != nil {
		return fmt.Errorf("generationConfig.responseJsonSchema: %w", err)
	}
	return nil
}

// limit is the most tokens that the answer may have; 0: no limit.
func (in *geminiInput) limit() int {
	if n := in.GenerationConfig.MaxOutputTokens; n != nil {
		return *n
	}
	return 0
}

// texts returns the text of all contents and that of the user's last one.
func (in *geminiInput) texts() (all, lastUser string) {
	var b strings.Builder
	contents := in.Contents
	if in.SystemInstruction != nil {
		contents = append([]geminiContent{*in.SystemInstruction}, contents...)
	}
	for _, c := range contents {
		var text strings.Builder
		for _, p := range c.Parts {
			if p.Text != nil {
				text.WriteString(*p.Text)
			}
		}
		b.WriteString(text.String() + "\n")
		if c.Role == "user" {
			lastUser = text.String()
		}
	}
	return b.String(), lastUser
}
