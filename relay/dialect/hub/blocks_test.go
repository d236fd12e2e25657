package hub

import (
	"strconv"
	"strings"
	"testing"
)

// silent writes nothing.
type silent struct{}

func (silent) Begin(dst []byte, _ *Block) []byte           { return dst }
func (silent) Piece(dst []byte, _ *Block, _ []byte) []byte { return dst }
func (silent) End(dst []byte, _ *Block) []byte             { return dst }

// chunked feeds the chunk of a call's piece.
func chunked(t *testing.T, q *Blocks, call string) {
	t.Helper()
	var k Chunk
	if !k.Read([]byte(`{"choices":[{"delta":{"tool_calls":[` + call + `]}}]}`)) {
		t.Fatal("no chunk")
	}
	for _, p := range k.Calls {
		q.Call(nil, &k, p)
	}
}

// What waits behind a call that is not whole is bounded, and what was sent of it
// makes room.
func TestWhatWaitsIsBounded(t *testing.T) {
	q := NewBlocks(silent{})
	text := []byte(`"` + strings.Repeat("a", 3<<20) + `"`)
	for n := range 4 { // one after the other, each sent in the end
		call := `{"index":` + strconv.Itoa(n) + `,"id":"c` + strconv.Itoa(n) + `","function":{"name":"f","arguments":`
		chunked(t, &q, call+`"{"}}`)
		q.Say(nil, Said, text)
		chunked(t, &q, call+`"}"}}`)
	}
	if q.Broken() {
		t.Error("broken by what does not wait any more")
	}
	chunked(t, &q, `{"index":9,"id":"c9","function":{"name":"f","arguments":"{"}}`)
	for range 3 {
		if q.Broken() {
			t.Error("broken too soon")
		}
		q.Say(nil, Said, text)
	}
	if !q.Broken() {
		t.Error("9 MiB wait")
	}

	q = NewBlocks(silent{})
	for n := range maxQueue + 1 {
		if q.Broken() {
			t.Errorf("broken by %d blocks", n)
		}
		chunked(t, &q, `{"index":`+strconv.Itoa(n)+`,"id":"c`+strconv.Itoa(n)+`","function":{"name":"f","arguments":"{"}}`)
	}
	if !q.Broken() {
		t.Error("more blocks wait than may")
	}
}
