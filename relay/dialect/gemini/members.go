package gemini

import (
	"math"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
)

// members writes a JSON object's members in order.
type members struct {
	b    []byte
	from int
}

func newMembers(dst []byte) *members {
	dst = append(dst, '{')
	return &members{b: dst, from: len(dst)}
}

// open writes a name; the value follows.
func (o *members) open(name string) {
	if len(o.b) > o.from {
		o.b = append(o.b, ',')
	}
	o.b = append(chat.AppendText(o.b, name), ':')
}

func (o *members) raw(name, value string) {
	o.open(name)
	o.b = append(o.b, value...)
}

func (o *members) text(name, value string) {
	o.open(name)
	o.b = chat.AppendText(o.b, value)
}

func (o *members) end() []byte { return append(o.b, '}') }

// bounds writes what exclusive bounds leave of themselves: inclusive ones,
// which are the same for whole numbers.
func (s *schema) bounds(o *members) {
	for _, b := range [...]struct {
		exclusive, inclusive string
		step                 float64
	}{{"exclusiveMinimum", "minimum", 1}, {"exclusiveMaximum", "maximum", -1}} {
		v := s.get(b.exclusive)
		if v.Type != gjson.Number || math.IsInf(v.Num, 0) || s.get(b.inclusive).Exists() {
			continue
		}
		n := v.Num
		if s.get("type").Str == "integer" {
			n += b.step
		}
		o.raw(b.inclusive, strconv.FormatFloat(n, 'f', -1, 64))
	}
}
