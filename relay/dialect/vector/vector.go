// Package vector is the two forms in which embeddings travel: a JSON array of
// numbers, and base64 of 32-bit floats.
//
// It is used by the dialects: some providers answer with numbers whatever the
// client asked for, and an SDK that asked for base64 reads an empty vector out
// of them without a word.
package vector

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"

	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
)

// AppendBase64 appends to dst the vector raw, a JSON array of numbers, as a
// JSON string: base64 of 32-bit floats, the lowest byte first, as OpenAI sends
// it. It is false when raw is no such array or a number is beyond 32 bits.
func AppendBase64(dst, raw []byte) ([]byte, bool) {
	c := cursor.New(raw)
	if c.Peek() != '[' {
		return dst, false
	}
	// A number has seldom fewer than eight digits.
	floats := make([]byte, 0, len(raw)/2)
	ok := c.Array(func() bool {
		span, ok := c.Value()
		if !ok {
			return false
		}
		n, err := strconv.ParseFloat(string(c.Bytes(span)), 32)
		if err != nil {
			return false
		}
		floats = binary.LittleEndian.AppendUint32(floats, math.Float32bits(float32(n)))
		return true
	})
	if !ok || !c.Done() {
		return dst, false
	}
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, floats)
	return append(dst, '"'), true
}
