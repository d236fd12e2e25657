package mockllm

import (
	"fmt"
	"strings"
)

// A Format is a provider's wire format.
type Format uint8

// The formats.
const (
	OpenAI Format = iota // api.openai.com: chat, texts, vectors, moderations, images, audio and the model list
	Azure                // Azure OpenAI: the same at its own addresses, with its own header for the key
	Claude               // api.anthropic.com: messages and the model list
	Gemini               // generativelanguage.googleapis.com: generateContent and the model list
)

var formatNames = [...]string{OpenAI: "openai", Azure: "azure", Claude: "claude", Gemini: "gemini"}

func (f Format) known() bool { return int(f) < len(formatNames) }

// String returns the name that ParseFormat takes.
func (f Format) String() string {
	if f.known() {
		return formatNames[f]
	}
	return fmt.Sprintf("Format(%d)", uint8(f))
}

// ParseFormat returns the format of that name; the error lists the names.
func ParseFormat(name string) (Format, error) {
	for i, n := range formatNames {
		if n == name {
			return Format(i), nil
		}
	}
	return 0, fmt.Errorf("mockllm: unknown format %q, want one of %s", name, strings.Join(formatNames[:], ", "))
}
