package e2e

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
)

// fails checks an error of the SDK's.
func (c messagesClient) fails(t *testing.T, err error, status int, kind string) *anthropic.Error {
	t.Helper()
	e, ok := errors.AsType[*anthropic.Error](err)
	if !ok {
		t.Fatalf("got %v", err)
	}
	if e.StatusCode != status || string(e.Type()) != kind || e.RequestID == "" || !strings.Contains(e.RawJSON(), `"request_id":"`+e.RequestID+`"`) {
		t.Errorf("got %d %s %q: %s, want %d %s", e.StatusCode, e.Type(), e.RequestID, e.RawJSON(), status, kind)
	}
	return e
}

func (c messagesClient) wrongKey(t *testing.T) {
	client := c.connect(wrongToken)
	_, err := client.Messages.New(within(t), saying("open"))
	c.fails(t, err, 401, "authentication_error")
	_, err = client.Models.List(within(t), anthropic.ModelListParams{})
	c.fails(t, err, 401, "authentication_error")
}

func (c messagesClient) unknownModel(t *testing.T) {
	_, err := c.client.Messages.New(within(t), saying("nope"))
	c.fails(t, err, 404, "not_found_error")
	_, err = c.stream(t, saying("nope"))
	c.fails(t, err, 404, "not_found_error")
	_, err = c.client.Models.Get(within(t), "nope", anthropic.ModelGetParams{})
	c.fails(t, err, 404, "not_found_error")
}

func (c messagesClient) badRequest(t *testing.T) {
	_, err := c.client.Messages.New(within(t), saying("rejected"))
	if e := c.fails(t, err, 400, "invalid_request_error"); !strings.Contains(e.RawJSON(), "bad temp") {
		t.Errorf("%s", e.RawJSON())
	}
	p := saying("own")
	p.StopSequences = []string{" "}
	_, err = c.client.Messages.New(within(t), p)
	if e := c.fails(t, err, 400, "invalid_request_error"); !strings.Contains(e.RawJSON(), "stop_sequences") {
		t.Errorf("%s", e.RawJSON())
	}
}

func (c messagesClient) rateLimit(t *testing.T) {
	client := c.connect(limitedToken)
	if _, err := client.Messages.New(within(t), saying("open")); err != nil {
		t.Fatal(err)
	}
	_, err := client.Messages.New(within(t), saying("open"))
	if e := c.fails(t, err, 429, "rate_limit_error"); e.Response.Header.Get("Retry-After") == "" {
		t.Errorf("header %v", e.Response.Header)
	}
}

// interrupted reads a stream that must end in an error after "he".
func (c messagesClient) interrupted(t *testing.T, model, message string) {
	t.Helper()
	m, err := c.stream(t, saying(model))
	if err == nil || !strings.Contains(err.Error(), message) {
		t.Errorf("%s: %v", model, err)
	}
	equal(t, "text", textOf(m), "he")
	if m.StopReason != "" {
		t.Errorf("%s: stop reason %s", model, m.StopReason)
	}
}

func (c messagesClient) truncated(t *testing.T) {
	c.interrupted(t, "truncated", "broke the stream off")
}
func (c messagesClient) broken(t *testing.T)   { c.interrupted(t, "broken", "boom") }
func (c messagesClient) tornCall(t *testing.T) { c.interrupted(t, "torn-call", "tool call") }

func (c messagesClient) failover(t *testing.T) {
	var resp *http.Response
	m, err := c.client.Messages.New(within(t), saying("mixed"), option.WithResponseInto(&resp))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "text", textOf(m), answer)
	equal(t, "provider", resp.Header.Get("X-Berry-Provider"), "own")
	equal(t, "stream", textOf(c.wholeStream(t, saying("mixed"))), answer)
}

func (c messagesClient) leave(t *testing.T) {
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	s := c.client.Messages.NewStreaming(ctx, saying("endless"))
	defer s.Close()
	for s.Next() {
		if s.Current().Delta.Text == "he" {
			cancel()
		}
	}
	if !errors.Is(s.Err(), context.Canceled) {
		t.Errorf("got %v", s.Err())
	}
}
