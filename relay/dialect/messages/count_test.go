package messages_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/png"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/relay/dialect/messages"
)

func tokens(t *testing.T, body string) int {
	t.Helper()
	r, err := messages.Parse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return r.Tokens()
}

// saying is a request in which the user says so many words.
func saying(words int) string {
	return fmt.Sprintf(`{"messages":[{"role":"user","content":%q}]}`, strings.Repeat("The quick brown fox ", words/4))
}

func TestTokens(t *testing.T) {
	f := func(name, body string, least, most int) {
		t.Helper()
		if n := tokens(t, body); n < least || n > most {
			t.Errorf("%s: %d tokens, want %d to %d", name, n, least, most)
		}
	}
	f("nothing", `{}`, 1, 10)
	f("a thousand words", saying(1000), 950, 1250)
	f("Chinese", `{"messages":[{"role":"user","content":"`+strings.Repeat("中文", 500)+`"}]}`, 900, 1100)
	f("numbers", `{"messages":[{"role":"user","content":"`+strings.Repeat("123456789 ", 100)+`"}]}`, 280, 420)
	f("spaces", `{"messages":[{"role":"user","content":"`+strings.Repeat(" ", 1600)+`"}]}`, 90, 130)

	var img bytes.Buffer
	if err := png.Encode(&img, image.NewGray(image.Rect(0, 0, 750, 400))); err != nil {
		t.Fatal(err)
	}
	picture := func(data string) string {
		return `{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + data + `"}}]}]}`
	}
	f("an image", picture(base64.StdEncoding.EncodeToString(img.Bytes())), 400, 420)
	f("an image that cannot be read", picture("aWltZw=="), 1600, 1620)
	f("an image by its address", `{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://x"}}]}]}`, 1600, 1620)
	pdf := func(raw string) string {
		return `{"messages":[{"role":"user","content":[{"type":"document","source":{"type":"base64","data":"` + base64.StdEncoding.EncodeToString([]byte(raw)) + `"}}]}]}`
	}
	f("a document of two pages", pdf("%PDF << /Type /Pages >> << /Type /Page >> << /Type/Page >>"), 4000, 4100)
	f("a compressed document", pdf(strings.Repeat("x", 120<<10)), 4000, 4100)
	f("a document of text", `{"messages":[{"role":"user","content":[{"type":"document","source":{"type":"text","data":"`+strings.Repeat("word ", 1000)+`"}}]}]}`, 950, 1250)
}

// TestTokensGrow adds each thing that a request may hold: clients compact a
// conversation by the count, and overflow if it leaves something out.
func TestTokensGrow(t *testing.T) {
	base := tokens(t, `{"messages":[{"role":"user","content":"hi"}]}`)
	words := strings.Repeat("some words ", 500)
	f := func(name, body string) {
		t.Helper()
		if n := tokens(t, body); n < base+900 {
			t.Errorf("%s: %d tokens, without it %d", name, n, base)
		}
	}
	message := func(role, block string) string {
		return `{"messages":[{"role":"user","content":"hi"},{"role":"` + role + `","content":[` + block + `]}]}`
	}
	f("system", `{"system":"`+words+`","messages":[{"role":"user","content":"hi"}]}`)
	f("a tool", `{"tools":[{"name":"f","description":"`+words+`"}],"messages":[{"role":"user","content":"hi"}]}`)
	f("a schema", `{"tools":[{"name":"f","input_schema":{"description":"`+words+`"}}],"messages":[{"role":"user","content":"hi"}]}`)
	f("a format", `{"output_config":{"format":{"type":"json_schema","schema":{"description":"`+words+`"}}},"messages":[{"role":"user","content":"hi"}]}`)
	f("a call", message("assistant", `{"type":"tool_use","id":"t","name":"f","input":{"x":"`+words+`"}}`))
	f("a result", message("user", `{"type":"tool_result","tool_use_id":"t","content":"`+words+`"}`))
	f("a result in blocks", message("user", `{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"`+words+`"}]}`))
	f("thinking", message("assistant", `{"type":"thinking","thinking":"`+words+`","signature":"s"}`))
	f("redacted thinking", message("assistant", `{"type":"redacted_thinking","data":"`+words+`"}`))
	f("a search result", message("user", `{"type":"search_result","source":"u","title":"t","content":[{"type":"text","text":"`+words+`"}]}`))
}
