package claude

import "strings"

// model is what a model's name says about what it takes. Names that say
// nothing, such as those of other vendors behind this format, are taken for a
// model of today.
type model struct {
	known   bool
	version int    // major*100 + minor
	family  string // opus, sonnet, haiku, ...
}

// readModel reads names such as claude-opus-4-7, claude-3-5-sonnet-20241022
// and anthropic.claude-sonnet-4.5-v1:0.
func readModel(name string) model {
	_, rest, ok := strings.Cut(strings.ToLower(name), "claude-")
	if !ok {
		return model{}
	}
	var m model
	numbers := 0
	for _, word := range strings.FieldsFunc(rest, func(r rune) bool { return strings.ContainsRune("-.@:_", r) }) {
		switch n, isNumber := small(word); {
		case isNumber && numbers == 0:
			m.known, m.version, numbers = true, n*100, 1
		case isNumber && numbers == 1:
			m.version += n
			numbers = 2
		case numbers == 0 || m.family == "":
			if numbers > 0 && !letters(word) {
				return m // a date or a revision
			}
			m.family = word
		case numbers > 0:
			return m
		}
	}
	return m
}

// small reads a number of one or two digits.
func small(s string) (int, bool) {
	if len(s) > 2 {
		return 0, false
	}
	n := 0
	for _, ch := range s {
		if ch < '0' || ch > '9' {
			return 0, false
		}
		n = n*10 + int(ch-'0')
	}
	return n, s != ""
}

func letters(s string) bool { return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz") == "" }

// thinking is how a model's reasoning is asked for.
type thinking uint8

const (
	noThinking thinking = iota
	byBudget            // a number of tokens
	adaptive            // an effort; the model decides
)

func (m model) thinking() thinking {
	switch {
	case !m.known, m.version >= 406:
		return adaptive
	case m.version >= 307:
		return byBudget
	default:
		return noThinking
	}
}

// sampling reports whether the model takes temperature, top_p and top_k.
func (m model) sampling() bool { return !m.known || m.version < 407 }

// forced reports whether the model can be made to call a tool.
func (m model) forced() bool { return m.family != "fable" }

// schemas reports whether the model can be bound to a JSON Schema.
func (m model) schemas() bool { return !m.known || m.version >= 405 || m.version == 401 }

// maxTokens is the most that an answer may hold where the client says nothing:
// the format wants a number, the model refuses one beyond what it can, and one
// that is too small cuts answers short.
func (m model) maxTokens() int64 {
	switch {
	case !m.known, m.version == 305:
		return 8192
	case m.version < 305:
		return 4096
	default:
		return 32000
	}
}
