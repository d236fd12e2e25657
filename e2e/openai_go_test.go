package e2e

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/ssestream"
	"github.com/openai/openai-go/v3/shared"
)

// goClient runs the official OpenAI SDK for Go.
type goClient struct {
	*world
	berry, strict openai.Client
}

func TestGo(t *testing.T) {
	w := newWorld(t)
	c := goClient{w, connect(w.berry, token), connect(w.strict, token)}
	runs := map[string]func(*testing.T){
		"models": c.models, "retrieve": c.retrieve, "chat": c.chat, "stream": c.stream, "stream_usage": c.streamUsage,
		"helper": c.helper, "tools": c.tools, "two_choices": c.twoChoices, "no_done": c.noDone,
		"wrong_key": c.wrongKey, "unknown_model": c.unknownModel, "bad_request": c.badRequest,
		"truncated": c.truncated, "reset": c.reset, "silent": c.silent, "broken": c.broken, "early_error": c.earlyError,
		"garbled": c.garbled, "role_error": c.roleError,
		"failover": c.failover, "failover_stream": c.failoverStream, "retry_after": c.retryAfter,
		"rate_limit": c.rateLimit, "leave": c.leave,
		"completion": c.completion, "completion_stream": c.completionStream, "embeddings": c.embeddings,
		"moderation": c.moderation, "unsupported": c.unsupported,
	}
	for _, name := range cases() {
		t.Run(name, runs[name])
	}
	if len(runs) != len(cases()) {
		t.Errorf("%d cases, want %d", len(runs), len(cases()))
	}
	w.verify(t)
}

func connect(s *server, key string, more ...option.RequestOption) openai.Client {
	options := []option.RequestOption{option.WithBaseURL(s.baseURL()), option.WithAPIKey(key)}
	return openai.NewClient(append(options, more...)...)
}

func params(model string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model:    model,
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(question)},
	}
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// equal ends the test if the two differ.
func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %#v, want %#v", what, got, want)
	}
}

// streamed is what came of a stream.
type streamed struct {
	text   string
	finish []string
	usages []openai.CompletionUsage
	err    error
	acc    openai.ChatCompletionAccumulator
}

func collect(t *testing.T, s *ssestream.Stream[openai.ChatCompletionChunk]) *streamed {
	t.Helper()
	defer s.Close()
	got := &streamed{}
	for s.Next() {
		chunk := s.Current()
		if !got.acc.AddChunk(chunk) {
			t.Fatalf("the accumulator refuses %s", chunk.RawJSON())
		}
		if chunk.JSON.Usage.Valid() {
			equal(t, "choices beside the usage", len(chunk.Choices), 0)
			got.usages = append(got.usages, chunk.Usage)
		}
		for _, choice := range chunk.Choices {
			got.text += choice.Delta.Content
			if choice.FinishReason != "" {
				got.finish = append(got.finish, choice.FinishReason)
			}
		}
	}
	got.err = s.Err()
	return got
}

// whole reads a good stream of text.
func whole(t *testing.T, s *ssestream.Stream[openai.ChatCompletionChunk], text, model string) *streamed {
	t.Helper()
	got := collect(t, s)
	if got.err != nil {
		t.Fatal(describe(got.err))
	}
	equal(t, "text", got.text, text)
	if !slices.Equal(got.finish, []string{"stop"}) {
		t.Fatalf("finish reasons %q", got.finish)
	}
	equal(t, "model", got.acc.Model, model)
	return got
}

// describe shows what the SDK's own text of an error leaves out.
func describe(err error) string {
	if e := (*openai.Error)(nil); errors.As(err, &e) {
		return err.Error() + ": " + e.RawJSON()
	}
	return err.Error()
}

// fails checks an error's fields; an empty code is not checked.
func fails(t *testing.T, err error, status int, code string) *openai.Error {
	t.Helper()
	var e *openai.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %T %v, want an API error", err, err)
	}
	equal(t, "status", e.StatusCode, status)
	if code != "" {
		equal(t, "code", e.Code, code)
	}
	if e.Message == "" || e.Type == "" || e.Response.Header.Get("X-Request-Id") == "" {
		t.Fatalf("message, type or request id is missing: %s", e.RawJSON())
	}
	return e
}

func (c goClient) models(t *testing.T) {
	page, err := c.berry.Models.List(within(t))
	if err != nil {
		t.Fatal(describe(err))
	}
	var ids []string
	for _, m := range page.Data {
		ids = append(ids, m.ID)
		if m.Created <= 0 || string(m.Object) != "model" {
			t.Errorf("model is %s", m.RawJSON())
		}
	}
	slices.Sort(ids)
	if !slices.Equal(ids, modelNames()) {
		t.Errorf("models %q, want %q", ids, modelNames())
	}
}

func (c goClient) retrieve(t *testing.T) {
	for _, id := range []string{"chat", "org/chat"} {
		m, err := c.berry.Models.Get(within(t), id)
		if err != nil {
			t.Fatal(describe(err))
		}
		equal(t, "id", m.ID, id)
	}
	_, err := c.berry.Models.Get(within(t), "nope")
	fails(t, err, 404, "model_not_found")
}

func (c goClient) chat(t *testing.T) {
	got, err := c.berry.Chat.Completions.New(within(t), params("chat"))
	if err != nil {
		t.Fatal(describe(err))
	}
	equal(t, "text", got.Choices[0].Message.Content, answer)
	equal(t, "finish reason", got.Choices[0].FinishReason, "stop")
	equal(t, "model", got.Model, "chat")
	equal(t, "prompt tokens", got.Usage.PromptTokens, promptTokens)
	equal(t, "completion tokens", got.Usage.CompletionTokens, completionTokens)
}

func (c goClient) stream(t *testing.T) {
	got := whole(t, c.berry.Chat.Completions.NewStreaming(within(t), params("chat")), answer, "chat")
	equal(t, "usage chunks that nobody asked for", len(got.usages), 0)
}

func (c goClient) streamUsage(t *testing.T) {
	p := params("chat")
	p.StreamOptions.IncludeUsage = openai.Bool(true)
	got := whole(t, c.berry.Chat.Completions.NewStreaming(within(t), p), answer, "chat")
	equal(t, "usage chunks", len(got.usages), 1)
	equal(t, "prompt tokens", got.usages[0].PromptTokens, promptTokens)
	equal(t, "completion tokens", got.usages[0].CompletionTokens, completionTokens)
	equal(t, "total tokens", got.usages[0].TotalTokens, promptTokens+completionTokens)
}

func (c goClient) helper(t *testing.T) {
	got := whole(t, c.berry.Chat.Completions.NewStreaming(within(t), params("chat")), answer, "chat")
	equal(t, "text", got.acc.Choices[0].Message.Content, answer)
	equal(t, "finish reason", got.acc.Choices[0].FinishReason, "stop")
}

func (c goClient) tools(t *testing.T) {
	p := params("tools")
	for _, name := range []string{"weather", "clock"} {
		p.Tools = append(p.Tools, openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{Name: name}))
	}
	got := collect(t, c.berry.Chat.Completions.NewStreaming(within(t), p))
	if got.err != nil {
		t.Fatal(describe(got.err))
	}
	choice := got.acc.Choices[0]
	equal(t, "finish reason", choice.FinishReason, "tool_calls")
	equal(t, "calls", len(choice.Message.ToolCalls), 2)
	for i, want := range [][3]string{{toolID1, "weather", toolArgs1}, {toolID2, "clock", toolArgs2}} {
		call := choice.Message.ToolCalls[i]
		equal(t, "call", [3]string{call.ID, call.Function.Name, call.Function.Arguments}, want)
	}
}

func (c goClient) twoChoices(t *testing.T) {
	p := params("two")
	p.N = openai.Int(2)
	got := collect(t, c.berry.Chat.Completions.NewStreaming(within(t), p))
	if got.err != nil {
		t.Fatal(describe(got.err))
	}
	equal(t, "choices", len(got.acc.Choices), 2)
	for i, want := range [][2]string{{choice0, "stop"}, {choice1, "length"}} {
		equal(t, "choice", [2]string{got.acc.Choices[i].Message.Content, got.acc.Choices[i].FinishReason}, want)
	}
}

func (c goClient) noDone(t *testing.T) {
	whole(t, c.berry.Chat.Completions.NewStreaming(within(t), params("no-done")), "hello", "no-done")
}

func (c goClient) wrongKey(t *testing.T) {
	wrong := connect(c.world.berry, wrongToken)
	_, err := wrong.Models.List(within(t))
	equal(t, "type", fails(t, err, 401, "invalid_api_key").Type, "invalid_request_error")
	err = collect(t, wrong.Chat.Completions.NewStreaming(within(t), params("chat"))).err
	fails(t, err, 401, "invalid_api_key")
}

func (c goClient) unknownModel(t *testing.T) {
	_, err := c.berry.Chat.Completions.New(within(t), params("nope"))
	e := fails(t, err, 404, "model_not_found")
	equal(t, "type", e.Type, "invalid_request_error")
	if !strings.Contains(e.Message, "nope") {
		t.Errorf("message %q", e.Message)
	}
}

func (c goClient) badRequest(t *testing.T) {
	p := params("rejected")
	p.Temperature = openai.Float(9)
	_, err := c.berry.Chat.Completions.New(within(t), p)
	e := fails(t, err, 400, "x")
	equal(t, "message, type and param", [3]string{e.Message, e.Type, e.Param}, [3]string{"bad temp", "invalid_request_error", "temperature"})
}

// interrupted reads a stream that must end in an error after "he", and returns the error frame.
func (c goClient) interrupted(t *testing.T, model string) string {
	t.Helper()
	got := collect(t, c.berry.Chat.Completions.NewStreaming(within(t), params(model)))
	var e *ssestream.StreamError
	if !errors.As(got.err, &e) {
		t.Fatalf("the stream ended with %v, want an error frame", got.err)
	}
	equal(t, "text", got.text, "he")
	equal(t, "finish reasons", len(got.finish), 0)
	frame := string(e.Event.Data)
	if !strings.Contains(frame, `"server_error"`) {
		t.Errorf("error frame %s", frame)
	}
	return frame
}

func (c goClient) truncated(t *testing.T) {
	if frame := c.interrupted(t, "truncated"); !strings.Contains(frame, `"stream_interrupted"`) {
		t.Errorf("error frame %s", frame)
	}
}

func (c goClient) reset(t *testing.T) {
	if frame := c.interrupted(t, "reset"); !strings.Contains(frame, `"stream_interrupted"`) {
		t.Errorf("error frame %s", frame)
	}
}

func (c goClient) silent(t *testing.T) {
	if frame := c.interrupted(t, "silent"); !strings.Contains(frame, `"stream_interrupted"`) {
		t.Errorf("error frame %s", frame)
	}
}

// A frame that is not JSON is left out; the rest is whole.
func (c goClient) garbled(t *testing.T) {
	whole(t, c.berry.Chat.Completions.NewStreaming(within(t), params("garbled")), "hello", "garbled")
}

// An error before any content is another backend's answer.
func (c goClient) roleError(t *testing.T) {
	whole(t, c.berry.Chat.Completions.NewStreaming(within(t), params("role-error")), answer, "role-error")
}

func (c goClient) broken(t *testing.T) {
	if frame := c.interrupted(t, "broken"); !strings.Contains(frame, "boom") {
		t.Errorf("error frame %s", frame)
	}
}

func (c goClient) earlyError(t *testing.T) {
	once := connect(c.world.strict, token, option.WithMaxRetries(0))
	err := collect(t, once.Chat.Completions.NewStreaming(within(t), params("early"))).err
	equal(t, "type", fails(t, err, 429, "").Type, "rate_limit_error")
}

func (c goClient) failover(t *testing.T) {
	var res *http.Response
	got, err := c.berry.Chat.Completions.New(within(t), params("pool"), option.WithResponseInto(&res))
	if err != nil {
		t.Fatal(describe(err))
	}
	equal(t, "text", got.Choices[0].Message.Content, answer)
	equal(t, "model", got.Model, "pool")
	equal(t, "provider", res.Header.Get("X-Berry-Provider"), "backup")
}

func (c goClient) failoverStream(t *testing.T) {
	whole(t, c.berry.Chat.Completions.NewStreaming(within(t), params("pool")), answer, "pool")
}

// The provider's first answer is a 429; the SDK waits as it says and asks again.
func (c goClient) retryAfter(t *testing.T) {
	whole(t, c.strict.Chat.Completions.NewStreaming(within(t), params("limited")), answer, "limited")
}

// Berry's own limit: one request a minute.
func (c goClient) rateLimit(t *testing.T) {
	limited := connect(c.world.berry, limitedToken, option.WithMaxRetries(0))
	got, err := limited.Chat.Completions.New(within(t), params("chat"))
	if err != nil {
		t.Fatal(describe(err))
	}
	equal(t, "text", got.Choices[0].Message.Content, answer)
	_, err = limited.Chat.Completions.New(within(t), params("chat"))
	e := fails(t, err, 429, "rate_limit_exceeded")
	equal(t, "type", e.Type, "rate_limit_error")
	wait, err := strconv.ParseFloat(e.Response.Header.Get("Retry-After"), 64)
	if err != nil || wait < 1 || wait > 60 {
		t.Errorf("Retry-After is %q", e.Response.Header.Get("Retry-After"))
	}
}

// The providers' side of this one is looked at in the end.
func (c goClient) leave(t *testing.T) {
	s := c.berry.Chat.Completions.NewStreaming(within(t), params("endless"))
	defer s.Close()
	for s.Next() {
		if s.Current().Choices[0].Delta.Content == "he" {
			return
		}
	}
	t.Fatalf("the stream ended: %v", s.Err())
}
