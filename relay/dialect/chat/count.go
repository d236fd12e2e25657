package chat

import (
	"math"
	"strconv"
)

// Count is the answer of dialect.ChatTokens, made of a provider's total; false where
// that is no count: not a whole number, or not above 0.
func Count(total float64) (answer []byte, ok bool) {
	if total < 1 || total > math.MaxInt32 || total != math.Trunc(total) {
		return nil, false
	}
	answer = strconv.AppendInt([]byte(`{"input_tokens":`), int64(total), 10)
	return append(answer, '}'), true
}
