package hub

import (
	"strings"

	"github.com/tidwall/gjson"
)

// ReasoningOf is the reasoning of a whole answer's message, under the names that
// servers give it.
func ReasoningOf(m gjson.Result) string {
	if text := m.Get("reasoning_content"); text.Type == gjson.String && text.Str != "" {
		return text.Str
	}
	if text := m.Get("reasoning"); text.Type == gjson.String {
		return text.Str
	}
	return ""
}

// ContentOf is the text of a whole answer's message, which some servers give in
// parts.
func ContentOf(m gjson.Result) string {
	content := m.Get("content")
	if !content.IsArray() {
		return content.String() // "" for null
	}
	var all strings.Builder
	for _, p := range content.Array() {
		all.WriteString(p.Get("text").String())
	}
	return all.String()
}
