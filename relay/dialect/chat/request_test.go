package chat

import (
	"errors"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/apierror"
)

func TestParse(t *testing.T) {
	got, err := Parse([]byte(`{"model":"m","messages":[
		{"role":"system","content":"s"},
		{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"image_url","image_url":{"url":"u","detail":"low"}}]},
		{"role":"assistant","content":null,"tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{}"},"extra_content":{"x":1}}]},
		{"role":"tool","tool_call_id":"t1","content":""}],
		"functions":[{"name":"g","parameters":{"b":1,"a":2}}],"tool_choice":{"type":"function","function":{"name":"f"}},
		"stop":"END","seed":null,"max_tokens":9,"max_completion_tokens":7,"x_big":12345678901234567890}`))
	if err != nil {
		t.Fatal(err)
	}
	n, m := int64(9), int64(7)
	want := &Request{
		Names: []string{"model", "messages", "functions", "tool_choice", "stop", "max_tokens", "max_completion_tokens", "x_big"},
		Messages: []Message{
			{Role: "system", Content: Content{{Type: "text", Text: "s"}}},
			{Role: "user", Content: Content{
				{Type: "text", Text: "a", Extra: Extra{"cache_control": jsontext.Value(`{"type":"ephemeral"}`)}},
				{Type: "image_url", Image: &ImageURL{URL: "u", Detail: "low"}},
			}},
			{Role: "assistant", ToolCalls: []ToolCall{{
				ID: "t1", Type: "function",
				Function: FunctionCall{Name: "f", Arguments: "{}"}, Extra: Extra{"extra_content": jsontext.Value(`{"x":1}`)},
			}}},
			{Role: "tool", ToolCallID: "t1"},
		},
		Functions:  []Function{{Name: "g", Parameters: jsontext.Value(`{"b":1,"a":2}`)}},
		Tools:      []Tool{{Type: "function", Function: Function{Name: "g", Parameters: jsontext.Value(`{"b":1,"a":2}`)}}},
		ToolChoice: &ToolChoice{Mode: "required", Names: []string{"f"}},
		Stop:       Texts{"END"}, MaxTokens: &n, MaxCompletionTokens: &m,
		Extra: Extra{"model": jsontext.Value(`"m"`), "x_big": jsontext.Value(`12345678901234567890`)},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if *got.MaxOutput() != 7 {
		t.Errorf("MaxOutput is %d", *got.MaxOutput())
	}
}

func TestParseRefuses(t *testing.T) {
	f := func(body, param string) {
		t.Helper()
		_, err := Parse([]byte(body))
		e, ok := errors.AsType[*apierror.Error](err)
		if !ok || e.Status != 400 || e.Param != param {
			t.Errorf("%s: got %+v, want a 400 naming %q", body, err, param)
		}
	}
	f(`{"messages":[]}`, "messages")
	f(`{"messages":[{"role":"user","content":5}]}`, "messages[0].content")
	f(`{"messages":[{"role":"user","content":[{"type":"text","text":5}]}]}`, "messages[0].content[0].text")
	f(`{"messages":[{"role":"usr","content":"a"}]}`, "messages[0].role")
	f(`{"messages":[{"role":"tool","content":"a"}]}`, "messages[0].tool_call_id")
	f(`{"messages":[{"role":"user","content":[{"type":"video"}]}]}`, "messages[0].content[0].type")
	f(`{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}`, "messages[0].content[0].image_url")
	f(`{"messages":[{"role":"user","content":"a"}],"temperature":"hot"}`, "temperature")
	f(`{"messages":[{"role":"user","content":"a"}],"max_tokens":1.5}`, "max_tokens")
	f(`{"messages":[{"role":"user","content":"a"}],"tool_choice":"maybe"}`, "tool_choice")
	f(`{"messages":[{"role":"user","content":"a"}],"tool_choice":{"type":"custom"}}`, "tool_choice")
	f(`{"messages":[{"role":"user","content":"a"}],"tools":[{"type":"function"}]}`, "tools[0].function.name")
	f(`{"messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f"}}]}]}`, "messages[0].tool_calls[0].id")
}

func TestToolChoice(t *testing.T) {
	f := func(choice string, want ToolChoice) {
		t.Helper()
		r, err := Parse([]byte(`{"messages":[{"role":"user","content":"a"}],"tool_choice":` + choice + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(&want, r.Choice()); d != "" {
			t.Error(choice, d)
		}
	}
	f(`"none"`, ToolChoice{Mode: "none"})
	f(`"auto"`, ToolChoice{Mode: "auto"})
	f(`{"name":"f"}`, ToolChoice{Mode: "required", Names: []string{"f"}})
	f(`{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}}]}}`,
		ToolChoice{Mode: "auto", Names: []string{"f", "g"}})
}

func TestCallID(t *testing.T) {
	f := func(id, want string) {
		t.Helper()
		if got := CallID(id); got != want {
			t.Errorf("%q: got %q, want %q", id, got, want)
		}
	}
	f("call_A-1", "call_A-1")
	f("toolu_0123456789012345678901234567890123", "toolu_0123456789012345678901234567890123")
	f("toolu_01234567890123456789012345678901234", "call_9dbe3b3fd66d1062742976733ed32997")
	f("functions.get:0", "call_f6c1dee3473fade422d692784270f574")
}

func TestDataURI(t *testing.T) {
	f := func(in, mediaType, data string, ok bool) {
		t.Helper()
		gotType, gotData, gotOK := DataURI(in)
		if gotType != mediaType || gotData != data || gotOK != ok {
			t.Errorf("%s: got %q %q %v", in, gotType, gotData, gotOK)
		}
	}
	f("data:image/PNG;base64,AAEC", "image/png", "AAEC", true)
	f("data:;base64,AAEC", "", "AAEC", true)
	f("DATA:image/png;x=y;base64,-_8", "image/png", "+/8=", true)
	f("data:text/plain,a%20b", "text/plain", "YSBi", true)
	f("data:image/png;base64,", "", "", false)
	f("data:image/png;base64,a!b-", "", "", false)
	f("https://example.com/a.png", "", "", false)
	f("data:image/png", "", "", false)
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"messages":[{"role":"user","content":[{"type":"text","text":"a"}]}],"tool_choice":"auto","stop":["a"]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := Parse(body)
		if err != nil {
			if _, ok := errors.AsType[*apierror.Error](err); !ok {
				t.Errorf("not an answer for the client: %v", err)
			}
			return
		}
		if len(r.Messages) == 0 {
			t.Error("no messages and no error")
		}
	})
}
