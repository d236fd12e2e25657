package openai

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

func decoderFor(m dialect.Meta) dialect.StreamDecoder {
	if m.Model == nil {
		m.Model = []byte(`"m"`)
	}
	return new(Dialect).Stream(&m)
}

func TestEvent(t *testing.T) {
	f := func(m dialect.Meta, in, want string, state dialect.State) {
		t.Helper()
		got, s, err := decoderFor(m).Event(nil, nil, []byte(in))
		if err != nil {
			t.Errorf("%s: %v", in, err)
		}
		if want != "" {
			want = "data: " + want + "\n\n"
		}
		if d := cmp.Diff(want, string(got)); d != "" || s != state {
			t.Errorf("%s: state %d, want %d (-want +got):\n%s", in, s, state, d)
		}
	}
	plain, usage := dialect.Meta{}, dialect.Meta{WantUsage: true}

	const role = `{"id":"c","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`
	const text = `{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"he"},"finish_reason":null}]}`
	f(plain, role, role, dialect.Lifecycle)
	f(plain, text, text, dialect.Content)
	f(plain, "[DONE]", "", dialect.End)
	f(plain, " [DONE] ", "", dialect.End)

	// What counts as content, and what does not.
	delta := func(d string) string { return `{"choices":[{"index":0,"delta":` + d + `}]}` }
	for d, state := range map[string]dialect.State{
		`{}`:                                 dialect.Lifecycle,
		`{"content":null}`:                   dialect.Lifecycle,
		`{"tool_calls":[]}`:                  dialect.Lifecycle,
		`{"tool_calls":[ ]}`:                 dialect.Lifecycle,
		`{"annotations":[]}`:                 dialect.Lifecycle,
		`{"refusal":"n"}`:                    dialect.Content,
		`{"reasoning_content":"n"}`:          dialect.Content,
		`{"reasoning":"n"}`:                  dialect.Content,
		`{"tool_calls":[{"index":0}]}`:       dialect.Content,
		`{"function_call":{"name":"f"}}`:     dialect.Content,
		`{"content":"\u00e9\n\"\\"}`:         dialect.Content,
		`{"role":"assistant","content":"é"}`: dialect.Content,
	} {
		f(plain, delta(d), delta(d), state)
	}
	const finish = `{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`
	f(plain, finish, finish, dialect.Content)
	const completion = `{"choices":[{"index":0,"text":"a","finish_reason":null}]}`
	f(plain, completion, completion, dialect.Content)

	// The model's name is the client's; every other byte is the upstream's.
	f(plain, `{"model" : "other" ,"n":12345678901234567890,"choices":[{"delta":{"content":"a"}}]}`,
		`{"model" : "m" ,"n":12345678901234567890,"choices":[{"delta":{"content":"a"}}]}`, dialect.Content)

	// Usage goes to those who asked.
	f(plain, `{"choices":[{"delta":{"content":"a"}}],"usage":null}`, `{"choices":[{"delta":{"content":"a"}}]}`, dialect.Content)
	f(plain, `{"usage":null,"choices":[{"delta":{"content":"a"}}]}`, `{"choices":[{"delta":{"content":"a"}}]}`, dialect.Content)
	f(plain, `{"usage":{"prompt_tokens":1},"choices":[{"delta":{"content":"a"}}],"x":1}`, `{"choices":[{"delta":{"content":"a"}}],"x":1}`, dialect.Content)
	f(usage, `{"choices":[{"delta":{"content":"a"}}],"usage":null}`, `{"choices":[{"delta":{"content":"a"}}],"usage":null}`, dialect.Content)
	const totals = `{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2}}`
	f(plain, totals, "", dialect.Lifecycle)
	f(usage, totals, totals, dialect.Lifecycle)
	f(usage, `{"usage":{"prompt_tokens":7}}`, `{"choices":[],"usage":{"prompt_tokens":7}}`, dialect.Lifecycle)

	// A null error kills one SDK, an empty list of choices crashes others.
	f(plain, `{"error":null,"choices":[{"delta":{"content":"a"}}]}`, `{"choices":[{"delta":{"content":"a"}}]}`, dialect.Content)
	f(plain, `{"error":null,"usage":null,"choices":[{"delta":{"content":"a"}}]}`, `{"choices":[{"delta":{"content":"a"}}]}`, dialect.Content)
	f(plain, `{"choices":[{"delta":{"content":"a"}}],"error":null,"usage":null}`, `{"choices":[{"delta":{"content":"a"}}]}`, dialect.Content)
	f(plain, `{"id":"","choices":[],"prompt_filter_results":[{"a":1}]}`, "", dialect.Lifecycle)

	// Reasoning can be left out.
	quiet := dialect.Meta{DropReasoning: true}
	f(quiet, delta(`{"reasoning_content":"th"}`), delta(`{}`), dialect.Lifecycle)
	f(quiet, delta(`{"role":"assistant","reasoning":"th","reasoning_details":[{"a":1}],"content":"a"}`), delta(`{"role":"assistant","content":"a"}`), dialect.Content)

	// One event is one line, whatever white space the upstream put between tokens.
	f(plain, "{\"choices\":[\n{\"delta\":{\"content\":\"a\"}}\r\n]}", `{"choices":[ {"delta":{"content":"a"}}  ]}`, dialect.Content)

	// Unreadable frames.
	for _, in := range []string{
		"", "x", "{", `{"choices":[}`, `{"choices":[{"delta":{"content":"a"}}]`, `{"choices":[{"delta":{"content":"a"}}]}}`,
		`{"choices":[{"delta":{"content":"` + "\x01" + `"}}]}`, `{"choices":[{"delta":{"content":"` + "\xff" + `"}}]}`,
		`{"choices":[1]}`, `[]`, `"text"`, `{"type":"ping"}`, `{"choices":null}`, `{"a":01}`, `{"a":1.}`, `{"a":"\x"}`,
		strings.Repeat(`{"a":`, 1000) + "1" + strings.Repeat("}", 1000),
	} {
		f(plain, in, "", dialect.Dropped)
	}
}

func TestEventReportsTheUpstreamsFault(t *testing.T) {
	f := func(name, in string, want apierror.Error) {
		t.Helper()
		out, _, err := decoderFor(dialect.Meta{}).Event(nil, []byte(name), []byte(in))
		var got *apierror.Error
		if !errors.As(err, &got) || len(out) != 0 {
			t.Errorf("%s: got %q, %v, want a fault", in, out, err)
			return
		}
		if d := cmp.Diff(&want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", in, d)
		}
	}
	f("", `{"error":{"message":"boom","type":"server_error","code":"x"}}`,
		apierror.Error{Status: 500, Type: "server_error", Code: "x", Message: "boom"})
	f("error", `{"error":{"message":"boom","type":"server_error","code":"x"}}`,
		apierror.Error{Status: 500, Type: "server_error", Code: "x", Message: "boom"})
	f("", `{"error":{"message":"full","code":"rate_limit_exceeded"}}`,
		apierror.Error{Status: 429, Type: "server_error", Code: "rate_limit_exceeded", Message: "full"})
	f("", `{"id":"x","error":{"message":"no","code":429},"choices":[]}`,
		apierror.Error{Status: 429, Type: "server_error", Code: "429", Message: "no"})
	f("", `{"error":"plain words"}`, apierror.Error{Status: 500, Type: "server_error", Message: "plain words"})
	f("", `{"error":{"message":"long","type":"invalid_request_error","code":"context_length_exceeded"}}`,
		apierror.Error{Status: 400, Type: "invalid_request_error", Code: "context_length_exceeded", Message: "long"})
	f("error", `{"message":"busy","type":"overloaded_error"}`,
		apierror.Error{Status: 503, Type: "overloaded_error", Message: "busy"})
	f("error", `not json`,
		apierror.Error{Status: 500, Type: "server_error", Message: "the provider answered with status 500 and no readable error"})
}

func TestFinishedKnowsEveryChoice(t *testing.T) {
	d := decoderFor(dialect.Meta{})
	f := func(in string, want bool) {
		t.Helper()
		if _, _, err := d.Event(nil, nil, []byte(in)); err != nil {
			t.Fatal(err)
		}
		if got := d.Finished(); got != want {
			t.Errorf("after %s: %v, want %v", in, got, want)
		}
	}
	f(`{"choices":[]}`, false)
	f(`{"choices":[{"index":0,"delta":{"content":"a"}}]}`, false)
	f(`{"choices":[{"index":1,"delta":{"content":"a"}}]}`, false)
	f(`{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`, false)
	f(`{"choices":[{"index":1,"delta":{},"finish_reason":"length"}]}`, true)
}

func TestUsageIsLearntWhetherAskedOrNot(t *testing.T) {
	const in = `{"choices":[],"usage":{"prompt_tokens":70,"completion_tokens":12,"total_tokens":82,` +
		`"prompt_tokens_details":{"cached_tokens":30,"cache_write_tokens":5},"completion_tokens_details":{"reasoning_tokens":7,"x":null}}}`
	want := dialect.Usage{Input: 70, Output: 12, CachedInput: 30, CacheWrite: 5, Reasoning: 7}
	for _, ask := range []bool{false, true} {
		d := decoderFor(dialect.Meta{WantUsage: ask})
		if _, _, err := d.Event(nil, nil, []byte(in)); err != nil {
			t.Fatal(err)
		}
		if got := d.Usage(); got != want {
			t.Errorf("asked %v: %+v, want %+v", ask, got, want)
		}
	}
}

// A text that nests without end must not exhaust the stack, wherever it comes.
func TestDeepNestingIsRefused(t *testing.T) {
	deep := []byte(strings.Repeat("[", 8<<20))
	if _, ok := new(Dialect).ReadList(deep); ok {
		t.Error("taken for a list")
	}
	if e := new(Dialect).Fault(400, nil, deep); !strings.Contains(e.Message, "no readable error") {
		t.Errorf("%+v", e)
	}
	var e *apierror.Error
	if _, _, err := decoderFor(dialect.Meta{}).Event(nil, []byte("error"), deep); !errors.As(err, &e) {
		t.Errorf("%v", err)
	}
}

// FuzzEvent: no panic; what comes out is whole events of valid one-line JSON
// without a top-level error; and the reader's idea of JSON is encoding/json's.
func FuzzEvent(f *testing.F) {
	f.Add(`{"model":"x","choices":[{"index":0,"delta":{"content":"a","reasoning":"b"}}],"usage":null,"error":null}`, true)
	f.Add(`{"choices":[],"usage":{"prompt_tokens":1}}`, true)
	f.Add(`{"usage":{"prompt_tokens":1.5e3}}`, true)
	f.Add(`{"error":{"message":"a"}}`, false)
	f.Add("{\n}", false)
	f.Fuzz(func(t *testing.T, in string, ask bool) {
		d := decoderFor(dialect.Meta{WantUsage: ask, DropReasoning: !ask})
		out, state, err := d.Event(nil, nil, []byte(in))
		if err != nil || state == dialect.End || len(out) == 0 {
			return
		}
		line, ok := strings.CutPrefix(string(out), "data: ")
		line, ok2 := strings.CutSuffix(line, "\n\n")
		if !ok || !ok2 || strings.ContainsAny(line, "\r\n") {
			t.Fatalf("%q became %q", in, out)
		}
		var v map[string]json.RawMessage
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%q became %q: %v", in, line, err)
		}
		if !json.Valid([]byte(in)) {
			t.Fatalf("%q is not JSON but passed", in)
		}
		if e, ok := v["error"]; ok && strings.Count(in, `error`) == 1 {
			t.Fatalf("%q kept error %s", in, e)
		}
	})
}

func BenchmarkEvent(b *testing.B) {
	in := []byte(`{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o-mini-2024","system_fingerprint":"fp","choices":[{"index":0,"delta":{"content":"hello"},"logprobs":null,"finish_reason":null}],"usage":null}`)
	d := decoderFor(dialect.Meta{})
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		if _, s, _ := d.Event(buf, nil, in); s != dialect.Content {
			b.Fatal(s)
		}
	}
}
