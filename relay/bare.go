package relay

import (
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/sse"
)

// expectBare makes r hand out what stands outside of events, for a decoder
// that knows what to do with it.
func expectBare(r *sse.Reader, dec dialect.StreamDecoder) {
	if _, ok := dec.(dialect.BareDecoder); ok {
		r.ReadBare()
	}
}

// decode hands an event, or what stood outside of any, to the decoder.
func decode(dec dialect.StreamDecoder, dst []byte, ev sse.Event) ([]byte, dialect.State, error) {
	if !ev.Bare {
		return dec.Event(dst, ev.Name, ev.Data)
	}
	b, ok := dec.(dialect.BareDecoder)
	if !ok {
		return dst, dialect.Dropped, nil
	}
	return b.Bare(dst, ev.Data)
}
