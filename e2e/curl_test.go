package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/e2e/process"
)

// curl is what people try first. It tells the bytes, so the streams are looked at event by event.
type curl struct {
	*world
	path string
}

func TestCurl(t *testing.T) {
	path, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed")
	}
	c := curl{newWorld(t), path}
	t.Run("models", c.models)
	t.Run("retrieve", c.retrieve)
	t.Run("chat", c.chat)
	t.Run("stream", c.stream)
	t.Run("errors", c.errors)
	t.Run("broken streams", c.brokenStreams)
	t.Run("failover", c.failover)
	t.Run("retry_after", c.retryAfter)
	t.Run("leave", c.leave)
	c.verify(t)
}

// A response is what curl printed with -i.
type response struct {
	status int
	header map[string]string // names in lower case
	body   string
}

// command is a curl call on a server's path; body "" means GET.
func (c curl) command(ctx context.Context, url, key, body string, more ...string) *exec.Cmd {
	args := []string{"-sS", "-N", "--max-time", strconv.Itoa(int(patience / time.Second)), "-H", "Authorization: Bearer " + key}
	if body != "" {
		args = append(args, "-H", "Content-Type: application/json", "-d", body)
	}
	cmd := exec.CommandContext(ctx, c.path, append(append(args, more...), url)...)
	cmd.Env = process.BareEnv()
	return cmd
}

func (c curl) do(t *testing.T, s *server, key, path, body string, more ...string) response {
	t.Helper()
	cmd := c.command(within(t), s.baseURL()+path, key, body, append([]string{"-i"}, more...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("curl: %v: %s", err, stderr.String())
	}
	head, rest, _ := strings.Cut(string(out), "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	r := response{header: map[string]string{}, body: rest}
	if _, err := fmt.Sscanf(lines[0], "HTTP/1.1 %d", &r.status); err != nil {
		t.Fatalf("curl printed %q", out)
	}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		r.header[strings.ToLower(name)] = strings.TrimSpace(value)
	}
	if r.header["x-request-id"] == "" {
		t.Errorf("%s: no x-request-id", path)
	}
	return r
}

func chatBody(model, more string) string {
	return fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":%q}]%s}`, model, question, more)
}

func (c curl) post(t *testing.T, s *server, model, more string, flags ...string) response {
	t.Helper()
	return c.do(t, s, token, "/chat/completions", chatBody(model, more), flags...)
}

// A chunk is one event of a stream, or a whole answer.
type chunk struct {
	ID, Object, Model string
	Created           int64
	Choices           []struct {
		Message, Delta struct{ Role, Content string }
		FinishReason   *string `json:"finish_reason"`
	}
	Usage *struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
	}
	Error map[string]any
}

func decode[T any](t *testing.T, s string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%v in %q", err, s)
	}
	return v
}

// events checks the framing of a stream and returns its events without the final [DONE].
func events(t *testing.T, r response) []chunk {
	t.Helper()
	equal(t, "status", r.status, 200)
	if kind := r.header["content-type"]; !strings.HasPrefix(kind, "text/event-stream") {
		t.Errorf("content type %q", kind)
	}
	body, ok := strings.CutSuffix(r.body, "data: [DONE]\n\n")
	if !ok {
		t.Fatalf("the stream does not end with [DONE]: %q", r.body)
	}
	var chunks []chunk
	for event := range strings.SplitAfterSeq(body, "\n\n") {
		if event == "" || strings.HasPrefix(event, ":") {
			continue // the end, or a comment that keeps the connection alive
		}
		data, ok := strings.CutPrefix(strings.TrimSuffix(event, "\n\n"), "data: ")
		if !ok || strings.Contains(data, "\n") {
			t.Fatalf("event %q", event)
		}
		chunks = append(chunks, decode[chunk](t, data))
	}
	return chunks
}

// join puts the chunks of a stream with one choice together.
func join(t *testing.T, chunks []chunk) (text string, finish []string) {
	t.Helper()
	for i, c := range chunks {
		if c.ID != chunks[0].ID || c.Created != chunks[0].Created || c.Model != chunks[0].Model || c.ID == "" {
			t.Errorf("chunk %d is of another answer: %+v", i, c)
		}
		for _, choice := range c.Choices {
			text += choice.Delta.Content
			if choice.FinishReason != nil {
				finish = append(finish, *choice.FinishReason)
			}
		}
	}
	if role := chunks[0].Choices[0].Delta.Role; role != "assistant" {
		t.Errorf("the first role is %q", role)
	}
	return text, finish
}

func (c curl) models(t *testing.T) {
	r := c.do(t, c.berry, token, "/models", "")
	list := decode[struct{ Data []struct{ ID, Object string } }](t, r.body)
	var ids []string
	for _, m := range list.Data {
		ids = append(ids, m.ID)
	}
	slices.Sort(ids)
	if !slices.Equal(ids, modelNames()) {
		t.Errorf("models %q, want %q", ids, modelNames())
	}
}

func (c curl) retrieve(t *testing.T) {
	for _, path := range []string{"/models/chat", "/models/org/chat", "/models/org%2Fchat"} {
		r := c.do(t, c.berry, token, path, "")
		equal(t, path, r.status, 200)
		if id := decode[struct{ ID string }](t, r.body).ID; "/models/"+id != strings.ReplaceAll(path, "%2F", "/") {
			t.Errorf("%s answered %q", path, id)
		}
	}
}

func (c curl) chat(t *testing.T) {
	r := c.post(t, c.berry, "chat", "")
	equal(t, "status", r.status, 200)
	got := decode[chunk](t, r.body)
	equal(t, "text", got.Choices[0].Message.Content, answer)
	equal(t, "model", got.Model, "chat")
	equal(t, "object", got.Object, "chat.completion")
}

func (c curl) stream(t *testing.T) {
	text, finish := join(t, events(t, c.post(t, c.berry, "chat", `,"stream":true`)))
	equal(t, "text", text, answer)
	equal(t, "finish reasons", strings.Join(finish, " "), "stop")

	chunks := events(t, c.post(t, c.berry, "chat", `,"stream":true,"stream_options":{"include_usage":true}`))
	last := chunks[len(chunks)-1]
	if last.Usage == nil || len(last.Choices) != 0 || last.Usage.Prompt != promptTokens || last.Usage.Completion != completionTokens {
		t.Errorf("the last chunk is %+v", last)
	}

	text, _ = join(t, events(t, c.post(t, c.berry, "no-done", `,"stream":true`)))
	equal(t, "text without the provider's [DONE]", text, "hello")
}

func (c curl) errors(t *testing.T) {
	f := func(r response, status int, kind, code string) {
		t.Helper()
		equal(t, "status", r.status, status)
		if media := r.header["content-type"]; !strings.HasPrefix(media, "application/json") {
			t.Errorf("content type %q", media)
		}
		e := decode[chunk](t, r.body).Error
		message, _ := e["message"].(string)
		_, hasParam := e["param"]
		if e["type"] != kind || e["code"] != code || message == "" || !hasParam || len(e) != 4 {
			t.Errorf("error %v, want type %s, code %s", e, kind, code)
		}
	}
	f(c.do(t, c.berry, wrongToken, "/models", ""), 401, "invalid_request_error", "invalid_api_key")
	f(c.do(t, c.berry, wrongToken, "/chat/completions", chatBody("chat", "")), 401, "invalid_request_error", "invalid_api_key")
	f(c.do(t, c.berry, "", "/models", ""), 401, "invalid_request_error", "missing_api_key")
	f(c.post(t, c.berry, "nope", ""), 404, "invalid_request_error", "model_not_found")
	f(c.do(t, c.berry, token, "/models/nope", ""), 404, "invalid_request_error", "model_not_found")
	f(c.do(t, c.berry, token, "/chat/completions", "{"), 400, "invalid_request_error", "invalid_json")
	f(c.post(t, c.berry, "rejected", ""), 400, "invalid_request_error", "x")

	equal(t, "first request of a limited user", c.do(t, c.berry, limitedToken, "/chat/completions", chatBody("chat", "")).status, 200)
	r := c.do(t, c.berry, limitedToken, "/chat/completions", chatBody("chat", ""))
	f(r, 429, "rate_limit_error", "rate_limit_exceeded")
	if wait, err := strconv.Atoi(r.header["retry-after"]); err != nil || wait < 1 || wait > 60 {
		t.Errorf("Retry-After is %q", r.header["retry-after"])
	}
}

// brokenStreams: what the provider began is shown, then one error, no finish reason, and the end.
func (c curl) brokenStreams(t *testing.T) {
	f := func(model, want string) {
		t.Helper()
		chunks := events(t, c.post(t, c.berry, model, `,"stream":true`))
		last := len(chunks) - 1
		text, finish := join(t, chunks[:last])
		equal(t, "text", text, "he")
		equal(t, "finish reasons", len(finish), 0)
		for i, c := range chunks {
			equal(t, "an error", c.Error != nil, i == last)
		}
		if e := chunks[last].Error; e["type"] != "server_error" || !strings.Contains(fmt.Sprint(e), want) {
			t.Errorf("%s: error %v, want %s", model, e, want)
		}
	}
	f("truncated", "stream_interrupted")
	f("reset", "stream_interrupted")
	f("broken", "boom")
}

func (c curl) failover(t *testing.T) {
	r := c.post(t, c.berry, "pool", "")
	equal(t, "text", decode[chunk](t, r.body).Choices[0].Message.Content, answer)
	equal(t, "provider", r.header["x-berry-provider"], "backup")
	text, _ := join(t, events(t, c.post(t, c.berry, "pool", `,"stream":true`)))
	equal(t, "text", text, answer)
}

// curl --retry waits as Retry-After says; -f keeps the refused answer out of the output.
func (c curl) retryAfter(t *testing.T) {
	cmd := c.command(within(t), c.strict.baseURL()+"/chat/completions", token, chatBody("limited", ""), "-f", "--retry", "3")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("curl: %v: %s", err, stderr.String())
	}
	equal(t, "text", decode[chunk](t, string(out)).Choices[0].Message.Content, answer)
}

// leave kills curl in the middle of a stream; the providers' side is looked at in the end.
func (c curl) leave(t *testing.T) {
	cmd := c.command(within(t), c.berry.baseURL()+"/chat/completions", token, chatBody("endless", `,"stream":true`))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }() // it was killed
	defer func() { _ = cmd.Process.Kill() }()
	var seen strings.Builder
	buf := make([]byte, 4096)
	for !strings.Contains(seen.String(), `"he"`) {
		n, err := out.Read(buf)
		seen.Write(buf[:n])
		if err == io.EOF {
			t.Fatalf("the stream ended: %q", seen.String())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
