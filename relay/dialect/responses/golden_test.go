package responses_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/golden"
	"github.com/PPKunOfficial/berry-api/relay/dialect/hub"
	"github.com/PPKunOfficial/berry-api/relay/dialect/openai"
	"github.com/PPKunOfficial/berry-api/relay/dialect/responses"
	"github.com/PPKunOfficial/berry-api/relay/sse"
)

// requestCase is a request as a client sends it and as it goes into the pipe.
type requestCase struct {
	Name    string
	Model   string // the upstream's; gpt-5.2 unless given
	In      json.RawMessage
	Out     json.RawMessage
	Dropped []string
	Refused string // the parameter that is refused
}

func requests(t testing.TB) (all []requestCase) {
	t.Helper()
	readJSON(t, "testdata/requests.json", &all)
	return all
}

func readJSON(t testing.TB, file string, v any) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		t.Fatal(err)
	}
}

// toChat does what relay does with a request.
func toChat(body []byte, model string) (*responses.Chat, error) {
	r, err := responses.Parse(body)
	if err != nil {
		return nil, err
	}
	return r.Chat(hub.Target{
		Model: "asked", Effort: r.Effort(model),
		Bookkeeping: strings.HasPrefix(model, "gpt-"), Reasoning: strings.HasPrefix(model, "deepseek-"),
	})
}

// TestRequests walks testdata/requests.json, byte for byte but for white space.
func TestRequests(t *testing.T) {
	for _, c := range requests(t) {
		t.Run(c.Name, func(t *testing.T) {
			if c.Model == "" {
				c.Model = "gpt-5.2"
			}
			got, err := toChat(c.In, c.Model)
			if c.Refused != "" {
				e, ok := errors.AsType[*apierror.Error](err)
				if !ok || e.Status != 400 || e.Param != c.Refused {
					t.Fatalf("got %v (%+v), want a 400 naming %s", err, e, c.Refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var want bytes.Buffer
			if err := json.Compact(&want, c.Out); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want.String(), string(got.Body)); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			if d := cmp.Diff(c.Dropped, got.Dropped); d != "" {
				t.Errorf("dropped: -want +got:\n%s", d)
			}
		})
	}
}

// upstream is the dialect whose answers are put back.
func upstream(t testing.TB) dialect.Dialect {
	t.Helper()
	base, err := url.Parse("https://openai.example/v1")
	if err != nil {
		t.Fatal(err)
	}
	return openai.New(dialect.Upstream{Provider: config.Provider{ID: "o", StreamUsage: true, Reasoning: true}, Base: base})
}

// asking is a request that describes tools of each kind.
func asking(t testing.TB) *responses.Chat {
	t.Helper()
	c, err := toChat([]byte(`{"model":"asked","input":"hi","instructions":"be\nbrief","metadata":{"a":"b"},"store":true,"tools":[
		{"type":"function","name":"f"},{"type":"custom","name":"write"},{"type":"namespace","name":"ns","tools":[{"type":"function","name":"f"}]},
		{"type":"function","name":"mcp__a_server_with_a_name__a_tool_with_a_name_that_is_longer_than_it_may_be"}]}`), "gpt-5.2")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func meta() *dialect.Meta { return &dialect.Meta{Model: []byte(`"asked"`), WantUsage: true} }

var (
	chance = regexp.MustCompile(`(resp|msg|fc|ctc|berry|call)_[0-9a-f]{24}(\b|_)`)
	moment = regexp.MustCompile(`"(created_at|completed_at)":[0-9]+`)
	echoed = regexp.MustCompile(`"background":false.*?"user":null`)
)

// steady is an answer without what is different each time, and without what it
// repeats of asking.
func steady(s string) string {
	s = moment.ReplaceAllString(chance.ReplaceAllString(s, "${1}_X${2}"), `"$1":1`)
	return echoed.ReplaceAllString(s, `"echo":0`)
}

// TestAnswers walks testdata/answers.json: a whole chat answer and the response
// made of it; no response where the answer is unreadable.
func TestAnswers(t *testing.T) {
	var cases []struct {
		Name    string
		In, Out json.RawMessage
	}
	readJSON(t, "testdata/answers.json", &cases)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			body, u, err := upstream(t).Decode(c.In, meta())
			if err != nil {
				t.Fatal(err)
			}
			got, err := asking(t).Answer(body, meta().Model, u)
			if c.Out == nil {
				if err == nil {
					t.Fatalf("unreadable, but got %s", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var want bytes.Buffer
			if err := json.Compact(&want, c.Out); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want.String(), steady(string(got))); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// What an answer repeats of its request: what was said, and OpenAI's defaults.
func TestEcho(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		c, err := toChat([]byte(in), "")
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Answer([]byte(`{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}]}`), []byte(`"m"`), dialect.Usage{Input: 1, Output: 2})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, echoed.FindString(strings.Replace(string(got), `"user":"u"`, `"user":null`, 1))); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	}
	f(`{"input":"hi","tools":null,"metadata":null}`, `"background":false,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"metadata":{},"parallel_tool_calls":true,`+
		`"previous_response_id":null,"prompt_cache_key":null,"prompt_cache_retention":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"default",`+
		`"store":false,"temperature":1,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_logprobs":0,"top_p":1,"truncation":"disabled","user":null`)
	f(`{"input":"hi","instructions":"a\u000ab","max_output_tokens":16,"max_tool_calls":2,"metadata":{ "a" : "b" },"parallel_tool_calls":false,"prompt_cache_key":"k","prompt_cache_retention":"24h",
		"reasoning":{"effort":"low"},"safety_identifier":"s","service_tier":"flex","store":true,"temperature":0.50,"text":{"verbosity":"low"},"tool_choice":"none",
		"tools":[ {"type":"web_search"}, {"type":"function","name":"f",
		"parameters":null} ],"top_logprobs":3,"top_p":0.9,"truncation":"auto","user":"u"}`, `"background":false,"instructions":"a\u000ab","max_output_tokens":16,"max_tool_calls":2,"metadata":{"a":"b"},"parallel_tool_calls":false,`+
		`"previous_response_id":null,"prompt_cache_key":"k","prompt_cache_retention":"24h","reasoning":{"effort":"low"},"safety_identifier":"s","service_tier":"flex",`+
		`"store":false,"temperature":0.50,"text":{"verbosity":"low"},"tool_choice":"none","tools":[{"type":"web_search"},{"type":"function","name":"f","parameters":null}],"top_logprobs":3,"top_p":0.9,"truncation":"disabled","user":null`)
}

// run decodes a stream as relay does. whole is whether it would be taken for a
// whole answer.
func run(t testing.TB, in string) (out string, whole bool, err error) {
	dec := asking(t).Stream(upstream(t).Stream(meta()), meta().Model)
	r := sse.NewReader(strings.NewReader(in), 1<<20)
	var dst []byte
	for {
		ev, rerr := r.Next()
		if rerr != nil {
			if whole = dec.Finished(); whole {
				dst = dec.End(dst)
			}
			return string(dst), whole, nil
		}
		var state dialect.State
		if dst, state, err = dec.Event(dst, ev.Name, ev.Data); err != nil {
			return string(dst), false, err
		}
		if state == dialect.End {
			return string(dec.End(dst)), true, nil
		}
	}
}

// short writes events as the golden files do: without their names, which are
// their types too.
func short(t testing.TB, out string) string {
	var lines strings.Builder
	for event := range strings.SplitSeq(strings.TrimSuffix(out, "\n\n"), "\n\n") {
		if event == "" {
			continue
		}
		name, data, ok := strings.Cut(strings.TrimPrefix(event, "event: "), "\ndata: ")
		if !ok || !strings.HasPrefix(data, `{"type":"`+name+`"`) {
			t.Errorf("an event named %q with %s", name, data)
		}
		lines.WriteString(data + "\n")
	}
	return lines.String()
}

func TestStreams(t *testing.T) {
	for _, g := range golden.Streams(t) {
		t.Run(g.Name, func(t *testing.T) {
			out, whole, err := run(t, g.In)
			got := steady(short(t, out))
			switch {
			case err != nil:
				got += "error " + err.Error() + "\n"
			case !whole:
				got += "truncated\n"
			}
			if d := cmp.Diff(g.Out, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// An answer that is too long to be repeated at its end breaks off, and not when it
// has filled the memory.
func TestLongAnswer(t *testing.T) {
	dec := asking(t).Stream(upstream(t).Stream(meta()), meta().Model)
	chunk := []byte(`{"choices":[{"index":0,"delta":{"content":"` + strings.Repeat("a", 1<<20) + `"},"finish_reason":null}]}`)
	for n := range 80 {
		out, _, err := dec.Event(nil, nil, chunk)
		if err == nil {
			continue
		}
		e, ok := errors.AsType[*apierror.Error](err)
		if b, is := dec.(dialect.Breaker); n < 60 || !ok || !is || !strings.Contains(string(b.Break(out, e)), `"status":"failed"`) {
			t.Errorf("after %d MiB: %v", n, err)
		}
		return
	}
	t.Error("no end")
}
