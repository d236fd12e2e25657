package relay

import (
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/sse"
)

func expectBare(r *sse.Reader, dec dialect.StreamDecoder) { dialect.ReadBare(r, dec) }

func decode(dec dialect.StreamDecoder, dst []byte, ev sse.Event) ([]byte, dialect.State, error) {
	return dialect.Feed(dec, dst, ev)
}
