package claude

import (
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxThoughts bounds how many answers' reasoning is remembered.
	maxThoughts = 4096
	// maxThoughtBytes bounds it in bytes, for one answer and together.
	maxThoughtBytes      = 256 << 10
	maxThoughtBytesTotal = 16 << 20
)

// thoughts remembers the thinking blocks of answers that called tools, by the
// first call's id: OpenAI's format has no place for them, and the provider
// wants them back, signed and unchanged, with the result. The oldest go when
// there are too many; a conversation whose blocks are gone goes on without
// thinking until its next turn.
type thoughts struct {
	mu    sync.Mutex
	byID  map[string][]jsontext.Value
	order []string // oldest first
	bytes int
}

func newThoughts() *thoughts { return &thoughts{byID: map[string][]jsontext.Value{}} }

func sizeOf(blocks []jsontext.Value) (n int) {
	for _, b := range blocks {
		n += len(b)
	}
	return n
}

// keep remembers the blocks that led to the call id. It owns them.
func (t *thoughts) keep(id string, blocks []jsontext.Value) {
	size := sizeOf(blocks)
	if id == "" || size == 0 || size > maxThoughtBytes {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.byID[id]; ok {
		return
	}
	t.byID[id] = blocks
	t.order = append(t.order, id)
	t.bytes += size
	for t.bytes > maxThoughtBytesTotal || len(t.order) > maxThoughts {
		oldest := t.order[0]
		t.order = t.order[1:]
		t.bytes -= sizeOf(t.byID[oldest])
		delete(t.byID, oldest)
	}
}

// of returns the blocks that led to the call id, nil if they are not known.
// The caller does not change them.
func (t *thoughts) of(id string) []jsontext.Value {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byID[id]
}
