package hub

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

func TestEffort(t *testing.T) {
	f := func(model, asked, want string) {
		t.Helper()
		if got := Effort(asked, model); got != want {
			t.Errorf("%s of %s: %q, want %q", asked, model, got, want)
		}
	}
	f("", "max", "high")
	f("", "xhigh", "high")
	f("", "medium", "medium")
	f("", "none", "")
	f("", "", "")
	f("", "enormous", "")
	f("my-deployment", "max", "high")
	f("openai/gpt-5.2", "max", "xhigh")
	f("gpt-5.2", "xhigh", "xhigh")
	f("gpt-5.2", "none", "none")
	f("gpt-5.2-pro", "low", "medium")
	f("gpt-5.2-pro", "max", "xhigh")
	f("gpt-5.1", "max", "high")
	f("gpt-5.1", "none", "none")
	f("gpt-5.1-codex-max", "max", "xhigh")
	f("gpt-5", "none", "minimal")
	f("gpt-5-mini", "max", "high")
	f("gpt-5-pro", "low", "high")
	f("gpt-5-codex", "none", "")
	f("gpt-5-chat-latest", "high", "")
	f("gpt-4.1", "high", "")
	f("gpt-4o-mini", "high", "")
	f("gpt-3.5-turbo", "low", "")
	f("chatgpt-4o-latest", "low", "")
	f("gpt-oss-120b", "max", "high")
	f("o3", "max", "high")
	f("o4-mini", "none", "")
	f("gemini-3-pro", "max", "max")
	f("gemini-2.5-flash", "none", "none")
	f("deepseek-chat", "low", "low")
}

// A schema is closed where OpenAI binds a model strictly to it.
func TestClosed(t *testing.T) {
	f := func(schema string, want bool) {
		t.Helper()
		if got := Closed(jsontext.Value(schema)); got != want {
			t.Errorf("%s: %v", schema, got)
		}
	}
	f("", false)
	const none = `"additionalProperties":false`
	f(`{"type":"object"}`, true)
	f(`{"type":"object","properties":{},`+none+`}`, true)
	f(`{"type":"object","properties":{}}`, false)
	f(`{"properties":{"a":{}},`+none+`}`, false)
	f(`{"properties":{"a":{}},`+none+`,"required":["a"]}`, true)
	f(`{"required":["b","a"],"properties":{"a":{},"b":{"type":"string"}},`+none+`}`, true)
	f(`{"required":["a",1],"properties":{"a":{},"b":{}},`+none+`}`, false)
	f(`{"properties":{"a":{}},"additionalProperties":{},"required":["a"]}`, false)
	f(`{"type":"array","items":{"properties":{"a":{}},"required":["a"]}}`, false)
	f(`{"anyOf":[{"type":"null"},{"properties":{"a":{}},`+none+`,"required":["a"]}]}`, true)
	f(`{"anyOf":[{"type":"null"},{"properties":{"a":{}},`+none+`}]}`, false)
	f(`{"properties":{"properties":{"type":"string"}},"required":["properties"],`+none+`}`, true)
	f(`{"properties":{"x":{"properties":{"y":{}}}},"required":["x"],`+none+`}`, false)
}

// Names that the chat format takes stay as they are, others are changed always alike.
func TestNames(t *testing.T) {
	f := func(name string, stays bool) {
		t.Helper()
		names := Names{}
		got := names.Short(name)
		if (got == name) != stays || len(got) > maxName || names.Long(got) != name || got != (Names{}).Short(name) {
			t.Errorf("%s became %s, and came back as %s", name, got, names.Long(got))
		}
	}
	f(strings.Repeat("a", 64), true)
	f(strings.Repeat("a", 65), false)
	f("mcp__my-server__Read_2", true)
	f("mcp.server/read", false)
	f("größe", false)
}
