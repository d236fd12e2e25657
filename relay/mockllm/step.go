package mockllm

import (
	"net/http"
	"strconv"
	"time"
)

// A Step is one thing that a script does with a request's connection. Steps run in order; the next one begins when
// the one before it is done. After the last step the answer is ended as EOF would do it. When the peer leaves or the
// server closes, the remaining steps are not run.
//
// Steps hold no state: one value may be used for many requests at once.
type Step struct {
	verb string
	do   func(*exchange) error
}

// JSON sends a whole answer with Content-Length. Content-Type is application/json unless the header has its own.
// header may be nil and is not changed.
func JSON(status int, header http.Header, body string) Step {
	header = header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/json")
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	return Step{"JSON", func(x *exchange) error {
		if err := x.header(status, header); err != nil {
			return err
		}
		if err := x.body(body); err != nil {
			return err
		}
		return x.end()
	}}
}

// Header sends the status line and the header at once and leaves the body to the steps that follow. The body is
// chunked unless the header has a Content-Length; to an HTTP/1.0 client it ends with the connection. header may be
// nil and is not changed.
func Header(status int, header http.Header) Step {
	header = header.Clone()
	return Step{"Header", func(x *exchange) error { return x.header(status, header) }}
}

// SSE sends each frame as one server-sent event, "data: FRAME" and a blank line, in one network write each. If no
// header was sent, 200 with text/event-stream goes before.
func SSE(frames ...string) Step {
	return Step{"SSE", func(x *exchange) error {
		if !x.started() {
			if err := x.header(http.StatusOK, http.Header{"Content-Type": {"text/event-stream"}}); err != nil {
				return err
			}
		}
		for _, frame := range frames {
			if err := x.body("data: " + frame + "\n\n"); err != nil {
				return err
			}
		}
		return nil
	}}
}

// Body sends pieces of the body as they are, in one network write (and one chunk, if the body is chunked) each. A
// header must have been sent.
func Body(pieces ...string) Step {
	return Step{"Body", func(x *exchange) error {
		for _, piece := range pieces {
			if err := x.body(piece); err != nil {
				return err
			}
		}
		return nil
	}}
}

// Bytes writes the pieces to the connection byte for byte, in one network write each, with no regard to HTTP: whole
// answers, malformed ones, broken chunks. Afterwards the connection cannot carry another request and is closed at the
// end of the script, so an answer that is meant to be well-formed should say "Connection: close".
func Bytes(pieces ...string) Step {
	return Step{"Bytes", func(x *exchange) error {
		for _, piece := range pieces {
			if err := x.raw(piece); err != nil {
				return err
			}
		}
		return nil
	}}
}

// Sleep waits.
func Sleep(d time.Duration) Step {
	return Step{"Sleep", func(x *exchange) error {
		if d <= 0 {
			return nil
		}
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-x.ctx.Done():
			return errOver
		case <-timer.C:
			return nil
		}
	}}
}

// Wait waits until a value comes from ready, or ready is closed. It lets a test hold an answer at a point, without
// time in it.
func Wait(ready <-chan struct{}) Step {
	return Step{"Wait", func(x *exchange) error {
		select {
		case <-x.ctx.Done():
			return errOver
		case <-ready:
			return nil
		}
	}}
}

// EOF ends the body cleanly: with the last chunk, or by closing the connection where the body has no other end or
// nothing was sent. It is a mistake where bytes of a Content-Length are missing; see Cut.
func EOF() Step {
	return Step{"EOF", (*exchange).end}
}

// Cut closes the connection in order (FIN) without ending the body: an answer that was cut off.
func Cut() Step {
	return Step{"Cut", (*exchange).cut}
}

// Reset closes the connection by a TCP reset (RST).
func Reset() Step {
	return Step{"Reset", (*exchange).reset}
}

// Hang does nothing until the peer leaves or the server closes.
func Hang() Step {
	return Step{"Hang", func(x *exchange) error {
		<-x.ctx.Done()
		return errOver
	}}
}
