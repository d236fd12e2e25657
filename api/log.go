package api

import (
	"io"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// logger writes log lines, one JSON object each:
//
//	{"timestamp":..., "level":"INFO", "target":"berry_api::relay", "message":...,"fields":{...}}
//
// Field order, level names and the nested fields are not zerolog's own, whose
// names are set by global variables; so a line sets them itself. The encoder
// escapes what could end a line or a string: no text of a client forges a line.
type logger struct {
	sink *logSink
	z    zerolog.Logger
	min  atomic.Pointer[thresholds]
}

func newLogger(sink *logSink, levels thresholds) *logger {
	l := &logger{sink: sink, z: zerolog.New(io.Writer(sink))}
	l.min.Store(&levels)
	return l
}

// enabled reports whether lines of this target and level are written.
func (l *logger) enabled(t target, lv level) bool { return lv >= l.min.Load()[t] }

// line is a log line that is being put together. The zero line, which is that
// of a level that is not logged, ignores everything.
type line struct {
	fields *zerolog.Event
	whole  *zerolog.Event
	sink   *logSink
	urgent bool
}

// line begins a line; add to its fields, then send it.
func (l *logger) line(t target, lv level, message string) line {
	if !l.enabled(t, lv) {
		return line{}
	}
	var stamp [32]byte
	e := l.z.Log()
	e.Bytes("timestamp", time.Now().UTC().AppendFormat(stamp[:0], "2006-01-02T15:04:05.000000Z"))
	e.Str("level", lv.String()).Str("target", t.String()).Str("message", message)
	return line{fields: zerolog.Dict(), whole: e, sink: l.sink, urgent: lv >= levelWarn}
}

// send writes the line: soon, or at once if it is a warning or worse.
func (n line) send() {
	if n.whole == nil {
		return
	}
	n.whole.Dict("fields", n.fields).Send()
	if n.urgent {
		n.sink.hurry()
	}
}

// millis is a duration as log lines and JSON answers show it: milliseconds, to
// the nearest microsecond. A smoothed latency is kept in few digits: cut off, one of
// 693 ms would read 692.999.
func millis(d time.Duration) float64 {
	return float64((d+time.Microsecond/2)/time.Microsecond) / 1000
}
