package messages

import "github.com/PPKunOfficial/berry-api/relay/dialect/hub"

// blocks writes an answer's blocks as a message's.
type blocks struct{ chat *Chat }

// Begin implements hub.Writer.
func (w blocks) Begin(dst []byte, b *hub.Block) []byte {
	start := startOfText
	switch b.Kind {
	case hub.Thought:
		start = startOfThinking
	case hub.Calls:
		start = string(w.chat.callHead(b.ID, b.Name)) + "{}}"
	}
	return appendBlockStart(dst, b.Index, start)
}

// Piece implements hub.Writer.
func (w blocks) Piece(dst []byte, b *hub.Block, piece []byte) []byte {
	kind := textDelta()
	switch b.Kind {
	case hub.Thought:
		kind = thinkingDelta()
	case hub.Calls:
		kind = inputDelta()
	}
	return appendDelta(dst, b.Index, kind, piece)
}

// End implements hub.Writer.
func (w blocks) End(dst []byte, b *hub.Block) []byte { return appendBlockStop(dst, b.Index) }
