package mockllm

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
)

// azureAnswer is what Azure OpenAI does about one request: the paths under /openai/v1, and those by deployment, which
// need an api-version. A deployment's name is what the behaviour lists as a model.
func azureAnswer(b *Behaviour, r *Seen, chats *atomic.Uint64) []Step {
	if b.Outage != 0 {
		return openAIFailure(b.Outage)
	}
	if b.Key != "" && r.Header.Get("Api-Key") != b.Key {
		return refuse(http.StatusUnauthorized, `{"statusCode":401,"message":"Access denied: the subscription key is missing or wrong."}`)
	}
	query, err := url.ParseQuery(r.Query)
	if err != nil {
		return azureNotFound()
	}
	path := strings.TrimSuffix(r.Path, "/")
	if rest, ok := strings.CutPrefix(path, "/openai/deployments/"); ok {
		name, op, _ := strings.Cut(rest, "/")
		deployment, err := url.PathUnescape(name)
		if r.Method != http.MethodPost || err != nil || !dated(query.Get("api-version")) {
			return azureNotFound()
		}
		return azureAsked(b, r, azureCall{deployment, openAICall{op, chats}})
	}
	for at, allowed := range map[string]bool{"/openai/v1/responses": true, "/openai/responses": dated(query.Get("api-version"))} {
		if rest, ok := strings.CutPrefix(path, at); ok && allowed && (rest == "" || rest[0] == '/') {
			return responsesAnswer(b, r, rest)
		}
	}
	if op, ok := strings.CutPrefix(path, "/openai/v1/"); ok && r.Method == http.MethodPost {
		return azureAsked(b, r, azureCall{"", openAICall{op, chats}})
	}
	switch {
	case path == "/openai/v1/models" && r.Method == http.MethodGet,
		path == "/openai/models" && r.Method == http.MethodGet && dated(query.Get("api-version")):
		return []Step{JSON(http.StatusOK, nil, `{"object":"list","data":[{"id":"base-model","object":"model","status":"succeeded"}]}`)}
	}
	return azureNotFound()
}

// azureCall is what is asked for and where it goes: a deployment named in the path, or "".
type azureCall struct {
	deployment string
	openAICall
}

func azureAsked(b *Behaviour, r *Seen, c azureCall) []Step {
	var in struct {
		Model string `json:"model"`
	}
	if json.Unmarshal(r.Body, &in) == nil && c.deployment == "" {
		c.deployment = in.Model
	}
	if c.deployment != "" && !b.has(c.deployment) {
		return refuse(http.StatusNotFound, `{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}`)
	}
	switch c.op {
	case "chat/completions":
		return azureStream(openAIChat(b, r, c.chats.Add(1)))
	case "moderations", "images/variations": // the former is a service of its own there
	default:
		if steps := openAIOther(b, r, c.openAICall); steps != nil {
			return steps
		}
	}
	return azureNotFound()
}

// dated reports whether an api-version is one: 2024-10-21, 2025-01-01-preview.
func dated(version string) bool {
	return len(version) >= 10 && version[4] == '-' && version[7] == '-'
}

func azureNotFound() []Step {
	return refuse(http.StatusNotFound, `{"error":{"code":"404","message":"Resource not found"}}`)
}

// AzurePromptFilter is the frame with which Azure begins a stream: no id, no choice.
func AzurePromptFilter() string {
	return `{"id":"","object":"","created":0,"model":"","choices":[],"prompt_filter_results":[{"prompt_index":0,"content_filter_results":{}}]}`
}

// AzureFilterOffsets is a frame of Azure's asynchronous filter: no id, and a choice without a delta.
func AzureFilterOffsets() string {
	return `{"id":"","object":"","created":0,"model":"","choices":[{"index":0,"finish_reason":null,"content_filter_results":{},` +
		`"content_filter_offsets":{"check_offset":1,"start_offset":1,"end_offset":2}}]}`
}

// azureStream puts the filters' frames into a stream of OpenAI's.
func azureStream(steps []Step) []Step {
	for i, s := range steps {
		if s.verb == "SSE" {
			out := append(append(steps[:i:i], SSE(AzurePromptFilter())), s, SSE(AzureFilterOffsets()))
			return append(out, steps[i+1:]...)
		}
	}
	return steps
}
