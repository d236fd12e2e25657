package messages

import (
	"math"
	"unicode"
	"unicode/utf8"
)

// What a request costs beside its texts, in tokens, about.
const (
	perMessage = 4
	perBlock   = 2
	perTool    = 12
)

// Tokens estimates how many tokens the request is for a model, from all that it
// holds: texts, tools and their schemas, calls, results, reasoning, images and
// documents. It is above 0. No two models count alike; of plain English it is
// right within about a fifth.
func (r *Request) Tokens() int {
	n := perMessage + r.in.System.tokens()
	for i := range r.in.Messages {
		n += perMessage + r.in.Messages[i].Content.tokens()
	}
	for i := range r.in.Tools {
		t := &r.in.Tools[i]
		n += perTool + textTokens(t.Name) + textTokens(t.Description) + textTokens(string(t.InputSchema))
	}
	for _, f := range []*format{r.in.OutputFormat, r.in.OutputConfig.format()} {
		if f != nil {
			n += textTokens(string(f.Schema))
		}
	}
	return n
}

func (c *outputConfig) format() *format {
	if c == nil {
		return nil
	}
	return c.Format
}

func (c content) tokens() (n int) {
	for i := range c {
		b := &c[i]
		n += perBlock + textTokens(b.Text) + textTokens(b.Thinking) + textTokens(b.Title) + textTokens(b.Context)
		n += textTokens(b.Name) + textTokens(string(b.Input)) + b.Content.tokens()
		n += len(b.Data) / bytesPerToken
		if b.Source != nil {
			n += b.Source.tokens(b.Type)
		}
	}
	return n
}

// lettersPerToken are how many letters of a word a token holds, usually.
const lettersPerToken = 6

// textTokens estimates the tokens of a text: a token is a short word or a part
// of a long one, a few digits, a mark, or a character of a script without spaces.
func textTokens(s string) int {
	var n float64
	var run rune // what the run of letters, digits or space is of; 0 for none
	length := 0
	flush := func() {
		switch run {
		case 'a':
			n += math.Ceil(float64(length) / lettersPerToken)
		case '0':
			n += math.Ceil(float64(length) / 3)
		case ' ':
			n += math.Ceil(float64(max(length-1, 0)) / 16)
		}
		run, length = 0, 0
	}
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		kind := kindOf(r)
		if kind != run {
			flush()
			run = kind
		}
		switch kind {
		case 'a', '0', ' ':
			length++
		case '.':
			n += 0.75 // marks are often put together
		default:
			n++
		}
	}
	flush()
	return int(math.Ceil(n))
}

func kindOf(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z':
		return 'a'
	case r >= '0' && r <= '9':
		return '0'
	case r == ' ' || r == '\n' || r == '\t' || r == '\r':
		return ' '
	case r < utf8.RuneSelf:
		return '.'
	case unicode.In(r, unicode.Latin, unicode.Greek, unicode.Cyrillic):
		return 'a'
	}
	return 'x'
}
