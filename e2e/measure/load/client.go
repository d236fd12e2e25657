package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// limit is after how long an answer counts as missing.
const limit = 30 * time.Second

// client is one connection, made when it is needed and made anew after a
// failure. It writes the same bytes each time, so that it takes as little as it
// can of the processor that it shares with what is measured.
type client struct {
	q    Request
	raw  []byte
	conn net.Conn
	in   *bufio.Reader
	body *bufio.Reader
}

func newClient(q Request) *client {
	raw := fmt.Appendf(nil, "POST /v1/chat/completions HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"+
		"Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n", q.Address, q.Token, len(q.Body))
	return &client{q: q, raw: append(raw, q.Body...), in: bufio.NewReaderSize(nil, 32<<10), body: bufio.NewReaderSize(nil, 8<<10)}
}

func (c *client) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

// answer is when an answer came and how many events it had.
type answer struct {
	first, end time.Time
	events     int
}

// do sends the request and reads its answer whole.
func (c *client) do() (answer, error) {
	if c.conn == nil {
		conn, err := net.DialTimeout("tcp", c.q.Address, limit)
		if err != nil {
			return answer{}, errors.New("no connection")
		}
		c.conn = conn
		c.in.Reset(conn)
	}
	a, err := c.exchange()
	if err != nil {
		c.close()
	}
	return a, err
}

func (c *client) exchange() (answer, error) {
	_ = c.conn.SetDeadline(time.Now().Add(limit))
	if _, err := c.conn.Write(c.raw); err != nil {
		return answer{}, errors.New("the request broke")
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return answer{}, errors.New("no answer")
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return answer{}, fmt.Errorf("status %d", resp.StatusCode)
	}
	if c.q.Events == 0 {
		a := answer{first: time.Now()}
		body, err := io.ReadAll(resp.Body)
		a.end = time.Now()
		if err != nil || !bytes.HasSuffix(bytes.TrimSpace(body), []byte("}")) {
			return a, errors.New("the answer broke")
		}
		return a, nil
	}
	return c.events(resp.Body)
}

// events reads a stream to its end.
func (c *client) events(body io.Reader) (answer, error) {
	var a answer
	done := false
	c.body.Reset(body)
	for {
		line, err := c.body.ReadSlice('\n')
		if bytes.HasPrefix(line, []byte("data:")) {
			if a.events == 0 {
				a.first = time.Now()
			}
			a.events++
			done = bytes.HasPrefix(line, []byte("data: [DONE]"))
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return a, errors.New("the stream broke")
		}
	}
	a.end = time.Now()
	if a.events != c.q.Events || !done {
		return a, fmt.Errorf("a stream of %d events, want %d", a.events, c.q.Events)
	}
	return a, nil
}
