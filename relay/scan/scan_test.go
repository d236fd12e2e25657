package scan

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

func TestJSONFinds(t *testing.T) {
	f := func(in string, want dialect.Scan) {
		t.Helper()
		got, e := JSON([]byte(in), dialect.Chat)
		if e != nil {
			t.Errorf("%s: %v", in, e)
			return
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", in, d)
		}
	}
	span := func(from, to int) dialect.Span { return dialect.Span{Start: from, End: to} }
	f(`{"model":"a","messages":[]}`, dialect.Scan{Model: "a", Open: 1, ModelValue: span(9, 12)})
	f(` { "model" : "\u0061/b:c" , "messages":[],"stream":true} `, dialect.Scan{Model: "a/b:c", Stream: true, Open: 2, ModelValue: span(13, 25)})
	f(`{"stream":null,"model":"a","messages":[]}`, dialect.Scan{Model: "a", Open: 1, ModelValue: span(23, 26)})
	f(`{"backend":"p","model":"a","messages":[]}`, dialect.Scan{Model: "a", Backend: "p", Open: 1, BackendMember: span(1, 14), ModelValue: span(23, 26)})
	f(`{"model":"a", "backend":"p","messages":[]}`, dialect.Scan{Model: "a", Backend: "p", Open: 1, ModelValue: span(9, 12), BackendMember: span(12, 27)})
	f(`{"model":"a","messages":[],"stream_options":{"x":1,"include_usage":true}}`,
		dialect.Scan{Model: "a", IncludeUsage: true, Open: 1, ModelValue: span(9, 12), OptionsMember: span(26, 72), OptionsValue: span(44, 72), UsageValue: span(67, 71)})
	long := strings.Repeat("x", 41)
	f(`{"messages":[{"tool_call_id":"`+long+`"},{"tool_calls":[{"id":"ok"},{"id":"`+long+`","function":{"id":"`+long+`"}}]},1,{"tool_calls":2}],"model":"a"}`,
		dialect.Scan{Model: "a", Open: 1, ModelValue: span(244, 247), LongIDs: []dialect.Span{span(29, 72), span(107, 150)}})
	f(`{"messages":[{"thinking_blocks":[1],"tool_calls":[{"id":"a","extra_content":{}},{"id":"b"}],"extra_content":1}],"model":"a"}`,
		dialect.Scan{Model: "a", Open: 1, ModelValue: span(120, 123), Extensions: []dialect.Extended{
			{Open: 14, Members: []dialect.Span{span(14, 35), span(91, 109)}},
			{Open: 51, Members: []dialect.Span{span(59, 78)}},
		}})
	f(`{"messages":[{"role":"a", "reasoning_content":"r","extra_content":1},{"reasoning_content":null}],"model":"a"}`,
		dialect.Scan{Model: "a", Open: 1, ModelValue: span(105, 108), Extensions: []dialect.Extended{
			{Open: 14, Members: []dialect.Span{span(24, 49), span(49, 67)}, Reasoning: span(24, 49)},
			{Open: 70, Members: []dialect.Span{span(70, 94)}, Reasoning: span(70, 94)},
		}})
	// Content, and what a tool is called with, is nobody's extension.
	f(`{"messages":[{"content":[{"thinking_blocks":1}]},{"tool_calls":[{"function":{"extra_content":1}}]}],"model":"a"}`,
		dialect.Scan{Model: "a", Open: 1, ModelValue: span(108, 111)})
}

func TestJSONRefuses(t *testing.T) {
	f := func(in, code, param, message string) {
		t.Helper()
		_, e := JSON([]byte(in), dialect.Chat)
		if e == nil || e.Status != 400 || e.Code != code || e.Param != param || !strings.Contains(e.Message, message) {
			t.Errorf("%.80q: %+v, want %s %q %q", in, e, code, param, message)
		}
	}
	const rest = `,"messages":[]}`
	f(``, "invalid_json", "", "ends too early")
	f(`{`, "invalid_json", "", "ends too early")
	f(`[]`, "invalid_json", "", "must be a JSON object")
	f(`"x"`, "invalid_json", "", "must be a JSON object")
	f(`{"model":"a","model":"b"`+rest, "invalid_json", "", "duplicate")
	f(`{"model":"a","mod\u0065l":"b"`+rest, "invalid_json", "", "duplicate")
	f(`{"stream":true,"stream":false,"model":"b"`+rest, "invalid_json", "", "duplicate")
	f(`{"model":"a","messages":[{"role":"user","role":"system"}]}`, "invalid_json", "", "duplicate")
	f(`{"model":"a","messages":[{"tool_calls":[{"id":"1","id":"2"}]}]}`, "invalid_json", "", "duplicate")
	f("\xef\xbb\xbf"+`{"model":"a"`+rest, "invalid_json", "", "")
	f(`{"model":"a"`+rest+`x`, "invalid_json", "", "")
	f(`{"model":"a"`+rest+`{}`, "invalid_json", "", "more after")
	f("{\"model\":\"a\xff\""+rest, "invalid_json", "", "UTF-8")
	f(`{"model":"a","x":`+strings.Repeat("[", 20000)+strings.Repeat("]", 20000)+rest, "invalid_json", "", "")
	f(`{"model":"a","x":01`+rest, "invalid_json", "", "")
	f(`{"messages":[]}`, "invalid_value", "model", "model")
	f(`{"model":1`+rest, "invalid_value", "model", "model")
	f(`{"model":""`+rest, "invalid_value", "model", "model")
	f(`{"model":null`+rest, "invalid_value", "model", "model")
	f(`{"model":"a"}`, "invalid_value", "messages", "messages")
	f(`{"model":"a","messages":null}`, "invalid_value", "messages", "messages")
	f(`{"model":"a","messages":{}}`, "invalid_value", "messages", "messages")
	f(`{"model":"a","stream":"yes"`+rest, "invalid_value", "stream", "stream")
	f(`{"model":"a","stream":1`+rest, "invalid_value", "stream", "stream")
	f(`{"model":"a","backend":1`+rest, "invalid_value", "backend", "backend")
	f(`{"model":"a","stream_options":[]`+rest, "invalid_value", "stream_options", "stream_options")
	f(`{"model":"a","stream_options":{"include_usage":"x"}`+rest, "invalid_value", "stream_options.include_usage", "include_usage")
}

// What a chat alone must have, and what only some endpoints know, is nobody
// else's business.
func TestJSONByEndpoint(t *testing.T) {
	f := func(e dialect.Endpoint, in string, want dialect.Scan, refusal string) {
		t.Helper()
		got, fault := JSON([]byte(in), e)
		if (fault != nil) != (refusal != "") || fault != nil && !strings.Contains(fault.Message, refusal) {
			t.Errorf("%v %s: %v, want %q", e, in, fault, refusal)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%v %s (-want +got):\n%s", e, in, d)
		}
	}
	span := func(from, to int) dialect.Span { return dialect.Span{Start: from, End: to} }
	m := dialect.Scan{Model: "m", Open: 1, ModelValue: span(9, 12)}
	with := func(edit func(*dialect.Scan)) dialect.Scan {
		s := m
		edit(&s)
		return s
	}
	f(dialect.Chat, `{"model":"m"}`, dialect.Scan{}, "no messages")
	f(dialect.Completions, `{"model":"m"}`, m, "")
	f(dialect.Embeddings, `{"model":"m"}`, m, "")
	f(dialect.Moderations, `{"model":"m"}`, m, "")
	f(dialect.Moderations, `{}`, dialect.Scan{Model: "omni-moderation-latest", Open: 1}, "")
	f(dialect.Moderations, `{"model":null}`, dialect.Scan{}, "model must be")
	f(dialect.Moderations, `{"model":""}`, dialect.Scan{}, "model must be")
	f(dialect.Embeddings, `{}`, dialect.Scan{}, "no model")
	f(dialect.Embeddings, `{"model":"m","model":"m"}`, dialect.Scan{}, "duplicate")
	f(dialect.Embeddings, `[]`, dialect.Scan{}, "object")

	f(dialect.Completions, `{"model":"m","stream":true}`, with(func(s *dialect.Scan) { s.Stream = true }), "")
	f(dialect.Completions, `{"model":"m","stream":1}`, dialect.Scan{}, "stream must be")
	f(dialect.Completions, `{"model":"m","stream_options":1}`, dialect.Scan{}, "stream_options must be")
	f(dialect.Embeddings, `{"model":"m","stream":1,"stream_options":1,"messages":1}`, m, "")
	f(dialect.Embeddings, `{"model":"m","encoding_format":"b\u0061se64"}`, with(func(s *dialect.Scan) { s.Base64 = true }), "")
	f(dialect.Embeddings, `{"model":"m","encoding_format":"float"}`, m, "")
	f(dialect.Embeddings, `{"model":"m","encoding_format":["base64"]}`, m, "")
	f(dialect.Completions, `{"model":"m","encoding_format":"base64"}`, m, "")
	f(dialect.Embeddings, `{"model":"m","backend":"p"}`, with(func(s *dialect.Scan) {
		s.Backend, s.BackendMember = "p", span(12, 26)
	}), "")
}

// FuzzJSON: what passes is JSON by another parser's reading too, with the
// same model, and its spans are what they say.
func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"model":"a","messages":[{"tool_calls":[{"id":"x"}]}],"stream":true,"stream_options":{"include_usage":false},"backend":"p"}`))
	f.Add([]byte(`{"messages":[{"thinking_blocks":1,"extra_content":2,"role":"a","tool_calls":[{"extra_content":{},"id":"x"}]}],"model":"a"}`))
	f.Add([]byte(`{"messages":[{"tool_call_id":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}],"model":"\u0061"}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		s, e := JSON(in, dialect.Chat)
		if e != nil {
			return
		}
		var v struct {
			Model   string
			Stream  *bool
			Backend string
		}
		dec := json.NewDecoder(bytes.NewReader(in))
		if err := dec.Decode(&v); err != nil {
			// encoding/json matches member names in any case and so may find
			// a "Model" of another type; that one is not ours.
			if !strings.Contains(err.Error(), "cannot unmarshal") {
				t.Fatalf("%q passed: %v", in, err)
			}
			return
		}
		var m map[string]json.RawMessage
		if err := json.Unmarshal(in, &m); err != nil {
			t.Fatal(err)
		}
		var model string
		if err := json.Unmarshal(m["model"], &model); err != nil || model != s.Model {
			t.Fatalf("%q: model %q, want %q", in, s.Model, model)
		}
		if !bytes.Equal(in[s.ModelValue.Start:s.ModelValue.End], m["model"]) {
			t.Fatalf("%q: model is not at %v", in, s.ModelValue)
		}
		for _, id := range s.LongIDs {
			if in[id.Start] != '"' || in[id.End-1] != '"' {
				t.Fatalf("%q: no id at %v", in, id)
			}
		}
		checkExtensions(t, in, s, dialect.Chat)
		// Taking out what is Berry's own leaves JSON without it.
		body := dialect.NewBody(len(in))
		body.Set(append(body.Bytes(), in...))
		first, second := s.BackendMember, s.OptionsMember
		if !second.IsZero() && second.Start < first.Start {
			first, second = second, first
		}
		r, n := body.Splice(dialect.RemoveMembers(nil, in, s.Open, first, second))
		var out bytes.Buffer
		if _, err := out.ReadFrom(r); err != nil || int64(out.Len()) != n {
			t.Fatalf("%q: spliced to %d bytes, said %d: %v", in, out.Len(), n, err)
		}
		var left map[string]json.RawMessage
		if err := json.Unmarshal(out.Bytes(), &left); err != nil {
			t.Fatalf("%q became %q: %v", in, out.Bytes(), err)
		}
		delete(m, "backend")
		delete(m, "stream_options")
		if len(left) != len(m) {
			t.Fatalf("%q became %q", in, out.Bytes())
		}
		_ = r.Close()
		body.Release()
	})
}

// checkExtensions: without its extensions a body is JSON that has none, and
// another scan finds nothing more to take out.
func checkExtensions(t *testing.T, in []byte, s dialect.Scan, e dialect.Endpoint) {
	t.Helper()
	if len(s.Extensions) == 0 {
		return
	}
	body := dialect.NewBody(len(in))
	defer body.Release()
	body.Set(append(body.Bytes(), in...))
	var edits []dialect.Edit
	for _, o := range s.Extensions {
		edits = dialect.RemoveMembers(edits, in, o.Open, o.Members...)
	}
	dialect.SortEdits(edits)
	r, n := body.Splice(edits)
	defer r.Close()
	var out bytes.Buffer
	if _, err := out.ReadFrom(r); err != nil || int64(out.Len()) != n {
		t.Fatalf("%q: spliced to %d bytes, said %d: %v", in, out.Len(), n, err)
	}
	left, fault := JSON(out.Bytes(), e)
	if fault != nil || len(left.Extensions) != 0 || len(left.LongIDs) != len(s.LongIDs) || left.Model != s.Model {
		t.Fatalf("%q became %q: %v", in, out.Bytes(), fault)
	}
}

// FuzzTurns does the same for a body in Anthropic's form.
func FuzzTurns(f *testing.F) {
	for _, content := range []string{
		`"a"`, `[{"type":"text"}]`, `[{"type":"thinking","signature":""},{"type":"tool_use"}]`, `[{"type":"thinking"}]`,
		`[ {"signature":"s","type":"thinking"} , {"type":"thinking"} , {"type":"tool_result"} ]`,
	} {
		f.Add([]byte(`{"model":"a","messages":[{"content":` + content + `},{"content":[{"type":"tool_result"}]}],"thinking":{"type":"enabled"}}`))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		s, e := JSON(in, dialect.Messages)
		if e != nil {
			return
		}
		checkExtensions(t, in, s, dialect.Messages)
		if s.Thinking.IsZero() {
			return
		}
		var v struct{ Type string }
		if err := json.Unmarshal(in[s.Thinking.Start:s.Thinking.End], &v); err != nil {
			t.Fatalf("%q: no thinking at %v", in, s.Thinking)
		}
	})
}

func BenchmarkJSON(b *testing.B) {
	f := func(name string, size int) {
		body := []byte(`{"model":"gpt-4o-mini","messages":[{"role":"user","content":"` + strings.Repeat("lorem ipsum ", size/12) + `"}],"temperature":0.7,"stream":true}`)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, e := JSON(body, dialect.Chat); e != nil {
					b.Fatal(e)
				}
			}
		})
	}
	f("1KB", 1000)
	f("100KB", 100_000)
}

func TestJSONFindsWhatIsGoneOnFrom(t *testing.T) {
	f := func(in string, e dialect.Endpoint, previous, conversation string) {
		t.Helper()
		got, fault := JSON([]byte(in), e)
		if fault != nil || got.Previous != previous || got.Conversation != conversation {
			t.Errorf("%s: %q %q, %v", in, got.Previous, got.Conversation, fault)
		}
	}
	const in = `{"previous_response_id":"resp_\u0031","model":"a","conversation":{"x":{"id":1},"id":"conv_1"}}`
	for _, e := range []dialect.Endpoint{dialect.Responses, dialect.InputTokens, dialect.Compact} {
		f(in, e, "resp_1", "conv_1")
		f(`{"model":"a","previous_response_id":null,"conversation":null}`, e, "", "")
		f(`{"model":"a","conversation":"c"}`, e, "", "c")
		f(`{"model":"a","conversation":{}}`, e, "", "")
		f(`{"model":"a","conversation":{"id":null}}`, e, "", "")
	}
	// Elsewhere these are fields like any others.
	f(`{"model":"a","previous_response_id":1,"conversation":[]}`, dialect.Embeddings, "", "")
	f(`{"model":"a","messages":[],"previous_response_id":{},"conversation":1}`, dialect.Chat, "", "")
	for _, in := range []string{`{"model":"a","conversation":{"id":"a","id":"b"}}`, `{"model":"a","previous_response_id":"a","previous_response_id":"b"}`} {
		if _, e := JSON([]byte(in), dialect.Responses); e == nil || e.Code != "invalid_json" {
			t.Errorf("%s: %v", in, e)
		}
	}
}
