package azure

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// decoder mends the chunks that tell of content filters, before OpenAI's
// decoder takes them: they lack the id, the time or the delta that every chunk
// must have.
type decoder struct {
	dialect.StreamDecoder
	id, created string // the answer's, as JSON; "" until known
	mended      []byte
}

// Event implements dialect.StreamDecoder.
func (d *decoder) Event(dst, name, data []byte) ([]byte, dialect.State, error) {
	data = bytes.TrimSpace(data)
	if len(data) > 0 && data[0] == '{' { // whether it is JSON is looked at after this, once
		data = d.mend(data)
	}
	return d.StreamDecoder.Event(dst, name, data)
}

// head is what chunks have besides choices and must have.
type head struct{ id, created, object gjson.Result }

// mend returns data, or a copy in which what is missing is filled in.
func (d *decoder) mend(data []byte) []byte {
	var in head
	var choices gjson.Result
	gjson.ParseBytes(data).ForEach(func(name, v gjson.Result) bool {
		switch name.Str {
		case "id":
			in.id = v
		case "created":
			in.created = v
		case "object":
			in.object = v
		case "choices":
			choices = v
		}
		return true
	})
	if !choices.IsArray() || len(choices.Raw) <= len("[]") {
		return data // goes to no client, but for the totals
	}
	edits := d.heads(nil, in)
	choices.ForEach(func(_, c gjson.Result) bool {
		if c.IsObject() && !c.Get("delta").Exists() {
			text := `"delta":{},`
			if strings.TrimSpace(c.Raw[1:]) == "}" {
				text = `"delta":{}`
			}
			edits = append(edits, insert(c.Index+1, text))
		}
		return true
	})
	if len(edits) == 0 {
		return data
	}
	dialect.SortEdits(edits)
	d.mended = d.mended[:0]
	pos := 0
	for _, e := range edits {
		d.mended = append(append(d.mended, data[pos:e.Start]...), e.Text...)
		pos = e.End
	}
	d.mended = append(d.mended, data[pos:]...)
	return d.mended
}

func insert(at int, text string) dialect.Edit {
	return dialect.Edit{Span: dialect.Span{Start: at, End: at}, Text: []byte(text)}
}

// heads appends what brings a chunk's id and time in line with the first ones.
func (d *decoder) heads(edits []dialect.Edit, in head) []dialect.Edit {
	id, created := in.id, in.created
	if d.id == "" {
		if d.id = id.Raw; id.Type != gjson.String || id.Str == "" {
			d.id = newID()
		}
	}
	if d.created == "" {
		if d.created = created.Raw; created.Type != gjson.Number || created.Num <= 0 {
			d.created = strconv.FormatInt(time.Now().Unix(), 10)
		}
	}
	edits = same(edits, id, d.id, "id")
	edits = same(edits, created, d.created, "created")
	if object := in.object; object.Exists() && object.Str == "" {
		edits = same(edits, object, `"chat.completion.chunk"`, "object")
	}
	return edits
}

// same appends the edit that gives the member name the value want, if it has
// another or is missing.
func same(edits []dialect.Edit, v gjson.Result, want, name string) []dialect.Edit {
	switch {
	case v.Raw == want:
		return edits
	case v.Exists():
		return append(edits, dialect.Edit{Span: dialect.Span{Start: v.Index, End: v.Index + len(v.Raw)}, Text: []byte(want)})
	default:
		return append(edits, insert(1, `"`+name+`":`+want+","))
	}
}

// newID names an answer, as JSON, whose first chunk with text has no id.
func newID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	return `"chatcmpl-` + hex.EncodeToString(b[:]) + `"`
}
