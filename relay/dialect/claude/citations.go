package claude

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tidwall/gjson"

	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
)

// maxCited bounds the addresses and titles that are kept of one answer's
// citations; what comes on top is left out.
const maxCited = 256 << 10

// cited keeps an answer's place in its text and the citations of its blocks.
type cited struct {
	at    int // characters of text so far
	bytes int // of what is kept
	all   []chat.Citation
}

// said moves on by a piece of text, a JSON string.
func (c *cited) said(quoted []byte) {
	if bytes.IndexByte(quoted, '\\') >= 0 {
		text, _ := jsontext.AppendUnquote(nil, quoted) // half of a surrogate pair counts as a character
		c.at += utf8.RuneCount(text)
		return
	}
	c.at += utf8.RuneCount(quoted) - len(`""`)
}

// add appends what a citation says, if it is of a page on the web: OpenAI's
// format has no word for a place in a document that the client itself sent.
func (c *cited) add(all []chat.Citation, in gjson.Result) []chat.Citation {
	page := in.Get("url").Str
	if in.Get("type").Str == "search_result_location" {
		page = in.Get("source").Str
	}
	title := in.Get("title").Str
	if !strings.HasPrefix(page, "https://") && !strings.HasPrefix(page, "http://") {
		return all
	}
	if c.bytes += len(page) + len(title); c.bytes > maxCited {
		return all
	}
	return append(all, chat.Citation{URL: page, Title: title})
}

// place keeps the citations of a block that began at from: all of the block's
// text rests on each.
func (c *cited) place(block []chat.Citation, from int) {
	for _, one := range block {
		if one.From, one.To = from, c.at; from < c.at {
			c.all = append(c.all, one)
		}
	}
}
