package mockllm_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// answer is what came back for one request.
type answer struct {
	Status int
	Header http.Header
	Body   string
}

// ask sends one request to a server, with a key if that is not empty.
func ask(t *testing.T, s *mockllm.Server, method, path, key, body string) answer {
	t.Helper()
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	req, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(got)}
}

func chat(t *testing.T, s *mockllm.Server, body string) answer {
	t.Helper()
	return ask(t, s, "POST", "/v1/chat/completions", "", body)
}

type choice struct {
	Index        int
	Message      struct{ Role, Content string }
	Delta        struct{ Role, Content string }
	FinishReason *string `json:"finish_reason"`
}

type usage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	Total      int `json:"total_tokens"`
}

// completion is a whole answer or one chunk.
type completion struct {
	ID, Object, Model string
	Created           int64
	Choices           []choice
	Usage             *usage
}

func parse(t *testing.T, body string) completion {
	t.Helper()
	var c completion
	if err := json.Unmarshal([]byte(body), &c); err != nil {
		t.Fatalf("%v in %q", err, body)
	}
	return c
}

func words(s string) func(mockllm.Prompt) string {
	return func(mockllm.Prompt) string { return s }
}

func TestWholeAnswer(t *testing.T) {
	s := open(t, mockllm.Options{Behaviour: mockllm.Behaviour{Answer: words("one two\nthree")}})
	a := chat(t, s, `{"model":"a/b","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"count for me"}]}`)
	got := parse(t, a.Body)
	if got.ID == "" || time.Since(time.Unix(got.Created, 0)).Abs() > time.Hour {
		t.Errorf("id %q, created %d", got.ID, got.Created)
	}
	got.ID, got.Created = "", 0
	stop := "stop"
	want := completion{Object: "chat.completion", Model: "a/b", Usage: &usage{7, 4, 11}, Choices: []choice{{FinishReason: &stop}}}
	want.Choices[0].Message.Role, want.Choices[0].Message.Content = "assistant", "one two\nthree"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	if a.Status != 200 || a.Header.Get("Content-Type") != "application/json" || !strings.HasPrefix(a.Header.Get("X-Request-Id"), "req_") {
		t.Errorf("%d %v", a.Status, a.Header)
	}
}

func TestStreamedAnswer(t *testing.T) {
	f := func(options, wantUsage string, wantTail ...string) {
		t.Helper()
		s := open(t, mockllm.Options{Behaviour: mockllm.Behaviour{Answer: words("one  two ")}})
		a := chat(t, s, `{"model":"m","stream":true`+options+`,"messages":[{"role":"user","content":"hi"}]}`)
		if a.Status != 200 || a.Header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("%d %v", a.Status, a.Header)
		}
		frames := events(t, strings.NewReader(a.Body))
		first := parse(t, frames[0])
		head := fmt.Sprintf(`{"id":%q,"object":"chat.completion.chunk","created":%d,"model":"m","choices":`, first.ID, first.Created)
		c := func(delta, finish string) string {
			return head + `[{"index":0,"delta":` + delta + `,"logprobs":null,"finish_reason":` + finish + `}]` + wantUsage + `}`
		}
		want := []string{
			c(`{"role":"assistant","content":"","refusal":null}`, "null"),
			c(`{"content":"one"}`, "null"), c(`{"content":"  two"}`, "null"), c(`{"content":" "}`, "null"),
			c(`{}`, `"stop"`),
		}
		for _, tail := range wantTail {
			want = append(want, head+tail)
		}
		want = append(want, "[DONE]")
		if diff := cmp.Diff(want, frames); diff != "" {
			t.Errorf("frames (-want +got):\n%s", diff)
		}
	}
	f("", "")
	f(`,"stream_options":{}`, "")
	f(`,"stream_options":{"include_usage":true}`, `,"usage":null`, `[],"usage":{"prompt_tokens":2,"completion_tokens":4,"total_tokens":6}}`)
}

func TestTokenLimit(t *testing.T) {
	s := open(t, mockllm.Options{Behaviour: mockllm.Behaviour{Answer: words("a b c d e f")}}) // 8 tokens
	f := func(limit, wantText, wantFinish string, wantTokens int) {
		t.Helper()
		body := `{"model":"m","messages":[{"role":"user","content":"hi"}]` + limit
		got := parse(t, chat(t, s, body+`}`).Body)
		if text, finish := got.Choices[0].Message.Content, *got.Choices[0].FinishReason; text != wantText || finish != wantFinish || got.Usage.Completion != wantTokens {
			t.Errorf("%s: %q, %s, %d tokens", limit, text, finish, got.Usage.Completion)
		}
		var streamed, finish string
		for _, frame := range events(t, strings.NewReader(chat(t, s, body+`,"stream":true}`).Body)) {
			if frame == mockllm.Done {
				continue
			}
			c := parse(t, frame).Choices[0]
			streamed += c.Delta.Content
			if c.FinishReason != nil {
				finish = *c.FinishReason
			}
		}
		if streamed != wantText || finish != wantFinish {
			t.Errorf("%s streamed: %q, %s", limit, streamed, finish)
		}
	}
	f("", "a b c d e f", "stop", 8)
	f(`,"max_tokens":8`, "a b c d e f", "stop", 8)
	f(`,"max_tokens":4`, "a b c", "length", 4)
	f(`,"max_completion_tokens":7`, "a b c d e", "length", 7)
	f(`,"max_tokens":1`, "a", "length", 1)
}

// The default answer names the provider, repeats the last user message, and is the same each time.
func TestBelievableAnswer(t *testing.T) {
	s := open(t, mockllm.Options{Behaviour: mockllm.Behaviour{Name: "cheap-cloud"}})
	f := func(messages string, want ...string) {
		t.Helper()
		body := `{"model":"swift-1","messages":` + messages + `}`
		text := func() string { return parse(t, chat(t, s, body).Body).Choices[0].Message.Content }
		got := text()
		for _, w := range append(want, "cheap-cloud", "swift-1") {
			if !strings.Contains(got, w) {
				t.Errorf("%s: %q lacks %q", messages, got, w)
			}
		}
		if again := text(); again != got {
			t.Errorf("%s: first %q, then %q", messages, got, again)
		}
	}
	f(`[{"role":"user","content":"first"},{"role":"assistant","content":"x"},{"role":"user","content":"why is the sky blue?"},{"role":"assistant","content":"y"}]`, `"why is the sky blue?"`)
	f(`[{"role":"user","content":[{"type":"text","text":"look"},{"type":"image_url","image_url":{"url":"data:,"}},{"type":"text","text":"here"}]}]`, `"look  here"`)
	f(`[{"role":"user","content":"`+strings.Repeat("ä", 300)+`"}]`, strings.Repeat("ä", 200)+"...")
	f(`[{"role":"system","content":"only"}]`, "You did not ask anything")
	f(`[{"role":"user","content":null}]`, "You did not ask anything")
}

// What the request must be like, in the words of the envelope.
func TestRefusals(t *testing.T) {
	s := open(t, mockllm.Options{Behaviour: mockllm.Behaviour{Models: []string{"a", "org/b"}, Key: "sk-right"}})
	f := func(method, path, key, body string, status int, kind, param, code string) {
		t.Helper()
		a := ask(t, s, method, path, key, body)
		var got struct {
			Error map[string]any
		}
		if err := json.Unmarshal([]byte(a.Body), &got); err != nil {
			t.Fatalf("%s %s: %v in %q", method, path, err, a.Body)
		}
		message, _ := got.Error["message"].(string)
		want := map[string]any{"message": message, "type": kind, "param": any(param), "code": any(code)}
		for _, k := range []string{"param", "code"} {
			if want[k] == "" {
				want[k] = nil
			}
		}
		if diff := cmp.Diff(want, got.Error); diff != "" || message == "" || a.Status != status {
			t.Errorf("%s %s %s: status %d, want %d (-want +got):\n%s", method, path, body, a.Status, status, diff)
		}
		if strings.Contains(a.Body, "sk-") {
			t.Errorf("a key in %q", a.Body)
		}
	}
	const invalid = "invalid_request_error"
	good := `{"model":"a","messages":[{"role":"user","content":"hi"}]`
	f("POST", "/v1/chat/completions", "", good+"}", 401, invalid, "", "")
	f("POST", "/v1/chat/completions", "sk-wrong", good+"}", 401, invalid, "", "invalid_api_key")
	f("GET", "/v1/models", "sk-wrong", "", 401, invalid, "", "invalid_api_key")

	body := func(body, param, code string) {
		t.Helper()
		f("POST", "/v1/chat/completions", "sk-right", body, 400, invalid, param, code)
	}
	body(`{`, "", "")
	body(`[]`, "", "")
	body(``, "", "")
	body(`{"messages":[]}`, "model", "missing_required_parameter")
	body(`{"model":"a"}`, "messages", "missing_required_parameter")
	body(`{"model":"a","messages":null}`, "messages", "missing_required_parameter")
	body(`{"model":"a","messages":[]}`, "messages", "empty_array")
	body(`{"model":"a","messages":"hi"}`, "messages", "invalid_type")
	body(`{"model":"a","messages":[{"content":"hi"}]}`, "messages[0].role", "missing_required_parameter")
	body(good+`,"stream":"yes"}`, "stream", "invalid_type")
	body(good+`,"stream_options":{"include_usage":true}}`, "stream_options", "")
	body(good+`,"max_tokens":0}`, "max_tokens", "integer_below_min_value")
	body(good+`,"max_completion_tokens":0}`, "max_completion_tokens", "integer_below_min_value")
	body(good+`,"max_tokens":1,"max_completion_tokens":1}`, "max_tokens", "invalid_parameter_combination")

	f("POST", "/v1/chat/completions", "sk-right", strings.Replace(good, `"a"`, `"z"`, 1)+"}", 404, invalid, "", "model_not_found")
	f("GET", "/v1/models/z", "sk-right", "", 404, invalid, "", "model_not_found")
	f("GET", "/v1/zzz", "sk-right", "", 404, invalid, "", "unknown_url")
	f("POST", "/chat/completions", "sk-right", good+"}", 404, invalid, "", "unknown_url")
	f("GET", "/v1/chat/completions", "sk-right", "", 405, invalid, "", "method_not_supported")
	f("POST", "/v1/models", "sk-right", "{}", 405, invalid, "", "method_not_supported")
}

func TestModels(t *testing.T) {
	s := open(t, mockllm.Options{Behaviour: mockllm.Behaviour{Name: "cloud", Key: "k", Models: []string{"a", "org/b"}}})
	object := func(id string) string {
		return `{"id":"` + id + `","object":"model","created":1700000000,"owned_by":"cloud"}`
	}
	f := func(path, want string) {
		t.Helper()
		if got := ask(t, s, "GET", path, "k", ""); got.Status != 200 || got.Body != want {
			t.Errorf("%s: %d %s", path, got.Status, got.Body)
		}
	}
	f("/v1/models", `{"object":"list","data":[`+object("a")+`,`+object("org/b")+`]}`)
	f("/v1/models/a", object("a"))
	f("/v1/models/org/b", object("org/b"))
	f("/v1/models/org%2Fb", object("org/b"))
	if got := get(t, open(t, mockllm.Options{}), "/v1/models"); !strings.Contains(got, `"mock-model"`) {
		t.Errorf("list of a provider that takes any model: %s", got)
	}
}

func statuses(t *testing.T, s *mockllm.Server, n int) []int {
	t.Helper()
	var got []int
	for range n {
		a := chat(t, s, chatBody)
		got = append(got, a.Status)
		if a.Status != 200 && !strings.HasPrefix(a.Body, `{"error":{"message":"`) {
			t.Errorf("%d with %q", a.Status, a.Body)
		}
		if (a.Status == 429) != (a.Header.Get("Retry-After") == "1") {
			t.Errorf("%d with Retry-After %q", a.Status, a.Header.Get("Retry-After"))
		}
	}
	return got
}

// Failures follow from the seed, keep to the rate, and are of three kinds.
func TestFailureRate(t *testing.T) {
	f := func(rate float64, seed uint64) []int {
		t.Helper()
		return statuses(t, open(t, mockllm.Options{Behaviour: mockllm.Behaviour{FailureRate: rate, Seed: seed}}), 200)
	}
	count := func(statuses []int) map[int]int {
		n := map[int]int{}
		for _, s := range statuses {
			n[s]++
		}
		return n
	}
	if got := count(f(0, 1)); got[200] != 200 {
		t.Errorf("rate 0: %v", got)
	}
	if got := count(f(1, 1)); got[500]+got[503]+got[429] != 200 || got[500] == 0 || got[503] == 0 || got[429] == 0 {
		t.Errorf("rate 1: %v", got)
	}
	first := f(0.3, 7)
	// The seed is fixed, so this is no matter of luck: 60 are expected, three sigma are 20.
	if failed := 200 - count(first)[200]; failed < 40 || failed > 80 {
		t.Errorf("rate 0.3: %d of 200 failed", failed)
	}
	if !slices.Equal(first, f(0.3, 7)) {
		t.Error("the same seed gave another sequence")
	}
	if slices.Equal(first, f(0.3, 8)) {
		t.Error("another seed gave the same sequence")
	}
}

// A provider can be broken and mended while it runs.
func TestSetBehaviour(t *testing.T) {
	s := open(t, mockllm.Options{Behaviour: mockllm.Behaviour{Models: []string{"m"}}})
	f := func(change func(*mockllm.Behaviour), wantChat, wantList int) {
		t.Helper()
		b := s.Behaviour()
		change(&b)
		if err := s.SetBehaviour(b); err != nil {
			t.Fatal(err)
		}
		if got := chat(t, s, chatBody).Status; got != wantChat {
			t.Errorf("chat: %d, want %d", got, wantChat)
		}
		if got := ask(t, s, "GET", "/v1/models", "", "").Status; got != wantList {
			t.Errorf("list: %d, want %d", got, wantList)
		}
	}
	f(func(b *mockllm.Behaviour) {}, 200, 200)
	f(func(b *mockllm.Behaviour) { b.Outage = 503 }, 503, 503)
	f(func(b *mockllm.Behaviour) { b.Outage = 429 }, 429, 429)
	f(func(b *mockllm.Behaviour) { b.Outage = 403 }, 403, 403)
	f(func(b *mockllm.Behaviour) { b.Outage = 0 }, 200, 200)
	f(func(b *mockllm.Behaviour) { b.Key = "k" }, 401, 401)
	f(func(b *mockllm.Behaviour) { b.Key, b.Models = "", []string{"other"} }, 404, 200)

	s.Behaviour().Models[0] = "m"
	if got := s.Behaviour().Models[0]; got != "other" {
		t.Errorf("a copy changed the server's models to %q", got)
	}
}

func TestBehaviourOutOfRange(t *testing.T) {
	s := open(t, mockllm.Options{})
	f := func(b mockllm.Behaviour, want string) {
		t.Helper()
		if _, err := mockllm.Open(mockllm.Options{Behaviour: b}); err == nil || err.Error() != "mockllm: "+want {
			t.Errorf("Open: %v, want %s", err, want)
		}
		if err := s.SetBehaviour(b); err == nil || err.Error() != "mockllm: "+want {
			t.Errorf("SetBehaviour: %v, want %s", err, want)
		}
	}
	nan := 0.0
	nan /= nan
	f(mockllm.Behaviour{Latency: -1}, "latency is -1ns, want 0 or more")
	f(mockllm.Behaviour{TokenInterval: -1}, "token interval is -1ns, want 0 or more")
	f(mockllm.Behaviour{FailureRate: 1.1}, "failure rate is 1.1, want 0 to 1")
	f(mockllm.Behaviour{FailureRate: -0.1}, "failure rate is -0.1, want 0 to 1")
	f(mockllm.Behaviour{FailureRate: nan}, "failure rate is NaN, want 0 to 1")
	f(mockllm.Behaviour{Outage: 200}, "outage status is 200, want 400 to 599, or 0 for none")
	f(mockllm.Behaviour{Format: 9}, "unknown format Format(9)")
}

func TestParseFormat(t *testing.T) {
	if f, err := mockllm.ParseFormat("openai"); f != mockllm.OpenAI || err != nil {
		t.Errorf("%v, %v", f, err)
	}
	if f, err := mockllm.ParseFormat("gemini"); f != mockllm.Gemini || f.String() != "gemini" || err != nil {
		t.Errorf("%v, %v", f, err)
	}
	if _, err := mockllm.ParseFormat("x"); err == nil || err.Error() != `mockllm: unknown format "x", want one of openai, azure, claude, gemini` {
		t.Errorf("error is %v", err)
	}
}

// Latency and token interval are kept to the nanosecond, on a clock of the test's own.
func TestTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipe()
		b := mockllm.Behaviour{Latency: 300 * time.Millisecond, TokenInterval: 20 * time.Millisecond, Answer: words("a b c")}
		s := open(t, mockllm.Options{Listener: l, Behaviour: b})
		defer s.Close()
		tr := l.transport()
		defer tr.CloseIdleConnections()

		// f returns when the header, each event, and the end came.
		f := func(body string, want ...time.Duration) {
			t.Helper()
			start := time.Now()
			res, err := (&http.Client{Transport: tr}).Post(s.URL+"/v1/chat/completions", "application/json", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			got := []time.Duration{time.Since(start)}
			buf := make([]byte, 4096)
			for {
				n, err := res.Body.Read(buf)
				if n > 0 && !strings.Contains(string(buf[:n]), `"finish_reason":"stop"`) {
					got = append(got, time.Since(start))
				}
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(want, slices.Compact(append(got, time.Since(start)))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", body, diff)
			}
		}
		ms := time.Millisecond
		f(`{"model":"m","stream":true,"messages":[{"role":"user"}]}`, 300*ms, 320*ms, 340*ms)
		f(`{"model":"m","messages":[{"role":"user"}]}`, 340*ms)

		b.FailureRate = 1
		if err := s.SetBehaviour(b); err != nil {
			t.Fatal(err)
		}
		f(`{"model":"m","messages":[{"role":"user"}]}`, 300*ms)
	})
}

// Frames and whole answers are what the OpenAI format wants.
func TestFrames(t *testing.T) {
	f := func(got, want string) {
		t.Helper()
		if got != want || !json.Valid([]byte(got)) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	c := func(choices, more string) string {
		return `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":` + choices + more + `}`
	}
	f(mockllm.Role(), c(`[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}]`, ""))
	f(mockllm.Text("a\"\n€"), c(`[{"index":0,"delta":{"content":"a\"\n€"},"logprobs":null,"finish_reason":null}]`, ""))
	f(mockllm.Finish("length"), c(`[{"index":0,"delta":{},"logprobs":null,"finish_reason":"length"}]`, ""))
	f(mockllm.UsageChunk(7, 2), c(`[]`, `,"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}`))
	f(mockllm.Completion("hi", 7, 2), `{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}`)
	f(mockllm.Fault("m", "server_error", "", "x"), `{"error":{"message":"m","type":"server_error","param":null,"code":"x"}}`)
	f(mockllm.Fault("m", "server_error", "p", ""), `{"error":{"message":"m","type":"server_error","param":"p","code":null}}`)
	want := []string{mockllm.Role(), mockllm.Text("he"), mockllm.Text("llo"), mockllm.Finish("stop"), mockllm.Done}
	if got := mockllm.TextStream("he", "llo"); !slices.Equal(got, want) {
		t.Errorf("stream %q", got)
	}
}

// Any body gets a JSON answer, or a stream of JSON, with a status that says which.
func FuzzChatBody(f *testing.F) {
	f.Add(chatBody)
	f.Add(`{"model":"m","stream":true,"stream_options":{"include_usage":true},"max_tokens":3,"messages":[{"role":"user","content":[{"text":"x"}]}]}`)
	f.Add(`{"model":"\u0000\"","messages":[{"role":"user","content":"\ud800 \\ \u2028"}]}`)
	f.Add(`[`)
	s, err := mockllm.Open(mockllm.Options{Keep: mockllm.KeepNone})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(s.Close)
	f.Fuzz(func(t *testing.T, body string) {
		a := chat(t, s, body)
		documents := []string{a.Body}
		if a.Header.Get("Content-Type") == "text/event-stream" {
			documents = events(t, strings.NewReader(a.Body))
			if last := len(documents) - 1; documents[last] == mockllm.Done {
				documents = documents[:last]
			} else {
				t.Errorf("the stream ends with %q", documents[last])
			}
		}
		for _, d := range documents {
			if !json.Valid([]byte(d)) {
				t.Errorf("not JSON: %q", d)
			}
		}
		if refused := strings.HasPrefix(a.Body, `{"error"`); refused != (a.Status == 400) || !refused && a.Status != 200 {
			t.Errorf("status %d with %q", a.Status, a.Body)
		}
	})
}
