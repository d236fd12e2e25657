package relay_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// What a provider kept that is no longer there is gone: the client is told to send
// all of it, which whoever serves the model now can answer.
func TestPreviousResponseOfAProviderThatWentAway(t *testing.T) {
	b := startResponses(t, setup{})
	id := b.read(b.make(`{"model":"pool","input":"hi"}`)).ID
	goesOn := `{"model":"pool","input":"on","previous_response_id":"` + id + `"}`
	b.reload(func(c *config.Config) {
		p := c.Providers["u1"]
		p.Enabled = false
		c.Providers["u1"] = p
	})
	a := b.make(goesOn)
	if got := b.fault(a); a.Status != 400 || deref(got.Code) != "previous_response_not_found" || !strings.Contains(got.Message, "send the whole conversation") || len(b.u["u2"].Requests()) != 0 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	b.reload(func(c *config.Config) {
		p := c.Providers["u1"]
		p.Enabled = true
		c.Providers["u1"] = p
	})
	b.read(b.make(goesOn))
}

// Ids are remembered that can be asked for, of what is kept.
func TestIdsThatAreNotRemembered(t *testing.T) {
	var says string
	b := startResponses(t, setup{scripts: map[string]mockllm.Script{"u1": func(*mockllm.Seen) []mockllm.Step {
		return []mockllm.Step{mockllm.JSON(200, nil, says)}
	}}})
	f := func(id, more, path string, want int) {
		t.Helper()
		says = `{"id":"` + id + `","status":"completed","output":[]` + more + `}`
		b.make(`{"model":"gpt-a","input":"hi"}`)
		n := len(b.u["u1"].Requests())
		if a := b.ask(userToken, "GET", "/"+path, ""); a.Status != want || want == 404 && len(b.u["u1"].Requests()) != n {
			t.Errorf("%s: %d, want %d", id, a.Status, want)
		}
	}
	f("resp_a-b.c:d", "", "resp_a-b.c:d", 200)
	f("resp_1", `,"store":true`, "resp_1", 200)
	f("resp_2", `,"store":false`, "resp_2", 404)
	f("..", "", "%2e%2e", 404)
	f(".", "", "%2e", 404)
	f("a/b", "", "a%2fb", 404)
	f("a?b", "", "a%3fb", 404)
	f("a b", "", "a%20b", 404)
}

// What a response is gone on from and its conversation may be at two providers:
// neither can answer then.
func TestTwoHomesAreNone(t *testing.T) {
	kept := func(id, conversation string) mockllm.Script {
		return always(mockllm.JSON(200, nil, `{"id":"`+id+`","status":"completed","output":[],"conversation":{"id":"`+conversation+`"}}`))
	}
	b := startResponses(t, setup{scripts: map[string]mockllm.Script{"u1": kept("resp_1", "conv_1"), "u2": kept("resp_2", "conv_2")}})
	b.make(`{"model":"round","input":"hi"}`)
	b.make(`{"model":"round","input":"hi"}`)
	f := func(previous, conversation string, want int) {
		t.Helper()
		a := b.make(`{"model":"round","input":"on","previous_response_id":"` + previous + `","conversation":"` + conversation + `"}`)
		if a.Status != want || want == 400 && deref(b.fault(a).Param) != "conversation" {
			t.Errorf("%s, %s: %d %s", previous, conversation, a.Status, a.Body)
		}
	}
	f("resp_1", "conv_1", 200)
	f("resp_2", "conv_2", 200)
	f("resp_1", "conv_2", 400)
	f("resp_2", "conv_1", 400)
}

// A stream that names its response at its end only is one to go on from too.
func TestResponseNamedAtItsEnd(t *testing.T) {
	b := startResponses(t, setup{scripts: map[string]mockllm.Script{"u2": mockllm.Attempts(
		always(sse(), says(0, "he"), mockllm.Body(mockllm.ResponseEvent(1, "response.completed", `"response":{"id":"resp_late","status":"completed","conversation":{"id":"conv_late"},"usage":{"input_tokens":2,"output_tokens":3}}`))),
		always(),
	)}})
	b.events(b.make(`{"model":"only-b","input":"hi","stream":true}`))
	for _, more := range []string{`"previous_response_id":"resp_late"`, `"conversation":"conv_late"`} {
		n := len(b.u["u2"].Requests())
		if b.make(`{"model":"pool","input":"on",` + more + `}`); len(b.u["u2"].Requests()) != n+1 || len(b.u["u1"].Requests()) != 0 {
			t.Errorf("%s: u1 was asked %d times, u2 %d", more, len(b.u["u1"].Requests()), len(b.u["u2"].Requests())-n)
		}
	}
	if u := b.record(0).Usage; u.Input != 2 || u.Output != 3 {
		t.Errorf("usage %+v", u)
	}
}

// A GET whose body does not come, or does not end, is answered all the same: the
// server reads a body to its end before it writes.
func TestStoredBodyThatDoesNotCome(t *testing.T) {
	b := startResponses(t, setup{})
	id := b.read(b.make(`{"model":"gpt-a","input":"hi"}`)).ID
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// as api does
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		b.serve(w, r)
	}))
	t.Cleanup(srv.Close)
	f := func(framing, sent string, want int) {
		t.Helper()
		conn, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET /v1/responses/%s HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer %s\r\n%s\r\n\r\n%s", id, userToken, framing, sent)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != want {
			t.Errorf("%s, %q: %d, %v, want %d", framing, sent, resp.StatusCode, err, want)
		}
	}
	f("Content-Length: 5000", "", 408)
	f("Content-Length: 5000", `{"stream":false}`, 408)
	f("Content-Length: 5000", `{"stream":false}`+strings.Repeat(" ", 4000), 413)
	f("Transfer-Encoding: chunked", "10\r\n"+`{"stream":false}`+"\r\n", 408)
	f("Transfer-Encoding: chunked", "10\r\n"+`{"stream":false}`+"\r\n0\r\n\r\n", 200)
	f("Content-Length: 15", `{"stream":true}`, 200)
	f("Content-Length: 4", `what`, 200)
}
