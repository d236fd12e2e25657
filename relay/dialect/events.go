package dialect

import "github.com/PPKunOfficial/berry-api/relay/sse"

// ReadBare makes r hand out what stands outside of events, where dec knows what to
// do with it. It goes before the first event.
func ReadBare(r *sse.Reader, dec StreamDecoder) {
	if _, ok := dec.(BareDecoder); ok {
		r.ReadBare()
	}
}

// Feed hands an event, or what stood outside of any, to dec and returns what that
// makes of it; see StreamDecoder.Event.
func Feed(dec StreamDecoder, dst []byte, ev sse.Event) ([]byte, State, error) {
	if !ev.Bare {
		return dec.Event(dst, ev.Name, ev.Data)
	}
	b, ok := dec.(BareDecoder)
	if !ok {
		return dst, Dropped, nil
	}
	return b.Bare(dst, ev.Data)
}
