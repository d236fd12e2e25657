package claude

import "github.com/PPKunOfficial/berry-api/relay/dialect"

// meter measures a stream.
type meter struct {
	counts   counts
	finished bool // the reason why the model stopped has come
	text     int  // bytes of content
}

// Finished implements dialect.StreamDecoder.
func (d *meter) Finished() bool { return d.finished }

// bytesPerToken is a usual ratio, for an estimate of what was said so far.
const bytesPerToken = 4

// Usage implements dialect.StreamDecoder. The prompt's tokens come first, the
// output's only at the end: of a stream that is cut they are an estimate.
func (d *meter) Usage() dialect.Usage {
	u := d.counts.usage()
	if !d.finished && !u.IsZero() {
		u.Output = max(u.Output, (d.text+bytesPerToken-1)/bytesPerToken)
		u.Estimated = true
	}
	return u
}

// TextBytes implements dialect.StreamDecoder.
func (d *meter) TextBytes() int { return d.text }
