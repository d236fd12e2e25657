// Package upstream is a fake provider that costs as little as it can, so that
// what is measured in front of it is not the provider: HTTP/1.1 on the bare
// connection, answers made beforehand. It speaks OpenAI's chat format and takes
// the name of the model for what to do; see Answers.
package upstream

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// Events is how many events a streamed answer has, [DONE] not among them.
const Events = 50

// Answers returns the names of the models, with what a chat gets:
//
//	plain  a kilobyte of JSON at once
//	slow   the same after 20 ms
//	burst  a stream of 50 events at once
//	paced  the same, an event every 10 ms
//	long   the same, an event every 100 ms
//
// What comes after a hyphen does not matter: plain-1 is another model that does
// as plain.
func Answers() []string { return []string{"plain", "slow", "burst", "paced", "long"} }

// latency is how long the model "slow" thinks.
const latency = 20 * time.Millisecond

// Serve answers on the listener until it is closed.
func Serve(l net.Listener) error {
	s := build()
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		go func() {
			defer func() { _ = c.Close() }()
			s.serve(c)
		}()
	}
}

// server holds the answers.
type server struct {
	models, plain, refusal []byte
	head                   []byte // of a stream
	events                 [][]byte
	burst                  []byte
}

func build() *server {
	whole := func(status, body string) []byte {
		return fmt.Appendf(nil, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body)
	}
	var list []string
	for _, m := range Answers() {
		list = append(list, fmt.Sprintf(`{"id":%q,"object":"model","created":1700000000,"owned_by":"bench"}`, m))
	}
	s := &server{
		models:  whole("200 OK", `{"object":"list","data":[`+strings.Join(list, ",")+`]}`),
		refusal: whole("404 Not Found", `{"error":{"message":"no such thing","type":"invalid_request_error","code":null,"param":null}}`),
		plain: whole("200 OK", `{"id":"chatcmpl-bench","object":"chat.completion","created":1700000000,"model":"bench",`+
			`"choices":[{"index":0,"message":{"role":"assistant","content":"`+strings.Repeat("lorem ipsum ", 64)+
			`"},"finish_reason":"stop"}],"usage":{"prompt_tokens":200,"completion_tokens":150,"total_tokens":350}}`),
		head: []byte("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"),
	}
	chunk := func(text string) []byte { return fmt.Appendf(nil, "%x\r\n%s\r\n", len(text), text) }
	event := func(delta, finish string) string {
		return `data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"bench","choices":[{"index":0,"delta":` +
			delta + `,"finish_reason":` + finish + "}]}\n\n"
	}
	for i := range Events {
		delta, finish := `{"content":" word"}`, "null"
		switch i {
		case 0:
			delta = `{"role":"assistant","content":"Word"}`
		case Events - 1:
			delta, finish = "{}", `"stop"`
		}
		s.events = append(s.events, chunk(event(delta, finish)))
	}
	s.events = append(s.events, append(chunk("data: [DONE]\n\n"), "0\r\n\r\n"...))
	s.burst = append(bytes.Clone(s.head), bytes.Join(s.events, nil)...)
	return s
}

// serve answers the requests of one connection.
func (s *server) serve(c net.Conn) {
	in := bufio.NewReaderSize(c, 32<<10)
	for {
		get, length, err := head(in)
		if err != nil {
			return
		}
		var model string
		if !get {
			if model, err = s.body(in, length); err != nil {
				return
			}
		}
		if s.answer(c, get, model) != nil {
			return
		}
	}
}

// head reads a request's head, and reports whether it is a GET and how long a
// body follows.
func head(in *bufio.Reader) (get bool, length int, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return false, 0, err
	}
	get = bytes.HasPrefix(line, []byte("GET "))
	for {
		line, err = in.ReadSlice('\n')
		if err != nil {
			return false, 0, err
		}
		if len(line) <= 2 {
			return get, length, nil
		}
		const name = "content-length:"
		if len(line) > len(name) && strings.EqualFold(string(line[:len(name)]), name) {
			if length, err = strconv.Atoi(strings.TrimSpace(string(line[len(name):]))); err != nil {
				return false, 0, err
			}
		}
	}
}

// body reads a request's body and returns the model that it names, which must
// be near its beginning.
func (s *server) body(in *bufio.Reader, length int) (string, error) {
	begin, err := in.Peek(min(length, 128))
	if err != nil {
		return "", err
	}
	_, rest, _ := bytes.Cut(begin, []byte(`"model":`))
	_, rest, _ = bytes.Cut(rest, []byte(`"`))
	name, _, _ := bytes.Cut(rest, []byte(`"`))
	model := string(name)
	_, err = in.Discard(length)
	return model, err
}

func (s *server) answer(c net.Conn, get bool, model string) error {
	model, _, _ = strings.Cut(model, "-")
	out := s.refusal
	switch {
	case get:
		out = s.models
	case model == "plain":
		out = s.plain
	case model == "slow":
		time.Sleep(latency)
		out = s.plain
	case model == "burst":
		out = s.burst
	case model == "paced":
		return s.stream(c, 10*time.Millisecond)
	case model == "long":
		return s.stream(c, 100*time.Millisecond)
	}
	_, err := c.Write(out)
	return err
}

// stream writes the events one by one.
func (s *server) stream(c net.Conn, pause time.Duration) error {
	if _, err := c.Write(s.head); err != nil {
		return err
	}
	next := time.Now()
	for _, e := range s.events {
		if _, err := c.Write(e); err != nil {
			return err
		}
		next = next.Add(pause)
		time.Sleep(time.Until(next))
	}
	return nil
}
