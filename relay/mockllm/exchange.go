package mockllm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// errOver ends an exchange early without anybody's fault: the peer left, the server closes, or a step closed the
// connection.
var errOver = errors.New("mockllm: exchange over")

// A mistake is a step that makes no sense where it stands.
type mistake struct {
	verb, reason string
}

func (m *mistake) Error() string {
	return fmt.Sprintf("mockllm: script: %s: %s", m.verb, m.reason)
}

// framing is how the end of a body is told.
type framing uint8

const (
	unsent   framing = iota // no header was sent
	chunked                 // by a last chunk
	counted                 // by Content-Length
	open                    // by the end of the connection
	ungauged                // unknown: the script wrote to the connection itself
)

// An exchange is the answer to one request while it is being made. One goroutine uses it.
type exchange struct {
	ctx     context.Context // ends when the peer leaves or the server closes
	conn    *conn
	head    bool // a HEAD request: no body goes out
	http10  bool
	closing bool // the connection closes after this answer

	verb    string // the step that runs
	framing framing
	missing int64 // of a counted body
	ended   bool
}

func (x *exchange) run(steps []Step) error {
	for _, step := range steps {
		x.verb = step.verb
		if err := step.do(x); err != nil {
			return err
		}
	}
	if x.ended {
		return nil
	}
	x.verb = "end of script"
	return x.end()
}

func (x *exchange) started() bool { return x.framing != unsent }

func (x *exchange) reusable() bool {
	return x.ended && !x.closing && (x.framing == chunked || x.framing == counted)
}

func (x *exchange) mistake(format string, args ...any) error {
	return &mistake{x.verb, fmt.Sprintf(format, args...)}
}

func (x *exchange) write(s string) error {
	if x.ctx.Err() != nil {
		return errOver
	}
	_, err := io.WriteString(x.conn, s)
	return err
}

// header writes the status line and the header and settles how the body is framed.
func (x *exchange) header(status int, header http.Header) error {
	if x.started() {
		return x.mistake("a header was sent before")
	}
	added, err := x.frame(status, header)
	if err != nil {
		return err
	}
	var b strings.Builder
	reason := http.StatusText(status)
	if reason == "" {
		reason = "status code " + strconv.Itoa(status)
	}
	fmt.Fprintf(&b, "HTTP/1.1 %03d %s\r\n", status, reason)
	names := make([]string, 0, len(header))
	for name := range header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range header[name] {
			fmt.Fprintf(&b, "%s: %s\r\n", name, value)
		}
	}
	b.WriteString(added + "\r\n")
	return x.write(b.String())
}

// frame chooses the framing and returns the header lines that it takes.
func (x *exchange) frame(status int, header http.Header) (added string, err error) {
	if x.closing && header.Get("Connection") == "" {
		added = "Connection: close\r\n"
	}
	switch length := header.Get("Content-Length"); {
	case x.head || status == http.StatusNoContent || status == http.StatusNotModified:
		x.framing, x.missing = counted, 0
	case length != "":
		n, err := strconv.ParseInt(length, 10, 64)
		if err != nil || n < 0 {
			return "", x.mistake("Content-Length is %q; send a malformed header with Bytes", length)
		}
		x.framing, x.missing = counted, n
	case x.http10:
		x.framing, x.closing = open, true
	default:
		x.framing = chunked
		added += "Transfer-Encoding: chunked\r\n"
	}
	return added, nil
}

// body writes one piece of the body in one network write.
func (x *exchange) body(piece string) error {
	switch {
	case !x.started():
		return x.mistake("no header was sent")
	case x.ended:
		return x.mistake("the body was ended before")
	case piece == "" || x.head:
		return nil
	}
	switch x.framing {
	case chunked:
		return x.write(strconv.FormatInt(int64(len(piece)), 16) + "\r\n" + piece + "\r\n")
	case counted:
		if int64(len(piece)) > x.missing {
			return x.mistake("%d bytes over the Content-Length", int64(len(piece))-x.missing)
		}
		x.missing -= int64(len(piece))
	}
	return x.write(piece)
}

// raw writes to the connection; from then on only the end of the connection tells the end of the answer.
func (x *exchange) raw(piece string) error {
	x.framing = ungauged
	return x.write(piece)
}

func (x *exchange) end() error {
	if x.ended {
		return x.mistake("the body was ended before")
	}
	switch x.framing {
	case chunked:
		if err := x.write("0\r\n\r\n"); err != nil {
			return err
		}
	case counted:
		if x.missing > 0 {
			return x.mistake("%d bytes of the Content-Length are missing; use Cut to break off", x.missing)
		}
	default:
		return x.cut()
	}
	x.ended = true
	return nil
}

func (x *exchange) cut() error {
	x.conn.Close()
	return errOver
}

func (x *exchange) reset() error {
	tcp, ok := x.conn.raw.(interface{ SetLinger(sec int) error })
	if !ok {
		return x.mistake("a %T cannot be reset", x.conn.raw)
	}
	// With no time to linger, closing throws unsent data away and sends RST in place of FIN.
	if err := tcp.SetLinger(0); err != nil {
		return err
	}
	return x.cut()
}
