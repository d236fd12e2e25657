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

// Thoughts remembers the thinking blocks of answers that called tools, by the
// first call's id: OpenAI's format has no place for them, and the provider
// wants them back, signed and unchanged, with the result. The oldest go when
// there are too many; a conversation whose blocks are gone goes on without
// thinking until its next turn. The zero value is empty and ready; it is safe
// for concurrent use and outlives the dialects that share it.
type Thoughts struct {
	mu    sync.Mutex // guards what follows
	byID  map[string][]jsontext.Value
	order []string // oldest first
	bytes int
}

func sizeOf(blocks []jsontext.Value) (n int) {
	for _, b := range blocks {
		n += len(b)
	}
	return n
}

// keep remembers the blocks that led to the call id. It owns them.
func (t *Thoughts) keep(id string, blocks []jsontext.Value) {
	size := sizeOf(blocks)
	if id == "" || size == 0 || size > maxThoughtBytes {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byID == nil {
		t.byID = map[string][]jsontext.Value{}
	}
	old, again := t.byID[id] // not every server of this format makes ids that are unique
	if !again {
		t.order = append(t.order, id)
	}
	t.byID[id] = blocks
	t.bytes += size - sizeOf(old)
	for t.bytes > maxThoughtBytesTotal || len(t.order) > maxThoughts {
		oldest := t.order[0]
		t.order = t.order[1:]
		t.bytes -= sizeOf(t.byID[oldest])
		delete(t.byID, oldest)
	}
}

// of returns the blocks that led to the call id, nil if they are not known.
// The caller does not change them.
func (t *Thoughts) of(id string) []jsontext.Value {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byID[id]
}

// memory is the part of Thoughts that belongs to one provider and one user:
// what one account signed is not shown to another, and what was thought for one
// user does not get into another's conversation, even where a server gives two
// calls the same id.
type memory struct {
	all            *Thoughts
	provider, user string
}

// of is the provider's memory for a user.
func (m memory) of(user string) memory {
	m.user = user
	return m
}

func (m memory) key(id string) string { return m.provider + "\x00" + m.user + "\x00" + id }

func (m memory) keep(id string, blocks []jsontext.Value) {
	if id != "" {
		m.all.keep(m.key(id), blocks)
	}
}

func (m memory) recall(id string) []jsontext.Value { return m.all.of(m.key(id)) }
