package relay

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/core/config"
)

// streamEvents is how many events of text a benchmarked stream has.
const streamEvents = 1000

// canned answers every request with one stream.
type canned struct{ events []string }

func (c canned) RoundTrip(req *http.Request) (*http.Response, error) {
	_ = req.Body.Close()
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}},
		Body: io.NopCloser(&trickle{slices.Clone(c.events)}),
	}, nil
}

// trickle gives a stream as a network does that brings each event by itself.
type trickle struct{ events []string }

func (t *trickle) Read(p []byte) (int, error) {
	if len(t.events) == 0 {
		return 0, io.EOF
	}
	n := copy(p, t.events[0])
	if t.events[0] = t.events[0][n:]; t.events[0] == "" {
		t.events = t.events[1:]
	}
	return n, nil
}

// nowhere is a client that takes everything.
type nowhere struct {
	header http.Header
	bytes  int
}

func (w *nowhere) Header() http.Header { return w.header }
func (w *nowhere) WriteHeader(int)     {}
func (w *nowhere) Flush()              {}
func (w *nowhere) Write(p []byte) (int, error) {
	w.bytes += len(p)
	return len(p), nil
}

// BenchmarkStream is what relay does for one event of a stream, from the bytes
// that the upstream sent to those that the client gets, in each wire format:
// a read and a write each, without the system calls. "openai" passes through;
// "openai, varied" are chunks that differ in more than their text and are
// walked whole.
func BenchmarkStream(b *testing.B) {
	repeat := func(before, event, after string) string {
		var s strings.Builder
		s.WriteString(before)
		for n := range streamEvents {
			s.WriteString(strings.ReplaceAll(event, "$N", fmt.Sprint(n)))
		}
		return s.String() + after
	}
	f := func(name, backendType, stream string) {
		b.Run(name, func(b *testing.B) {
			g, rt := benchGateway(b, backendType, canned{strings.SplitAfter(stream, "\n\n")})
			user, _ := rt.Keys.Lookup("token-of-the-benchmark")
			var rec Record
			b.ReportAllocs()
			for b.Loop() {
				r, _ := http.NewRequest(http.MethodPost, "/", strings.NewReader(`{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}`))
				w := &nowhere{header: http.Header{}}
				rec.Reset()
				rec.User, rec.Start = user, time.Now()
				g.Serve(w, r, rt, &rec)
				if rec.Error != nil || rec.Malformed > 0 || w.bytes < 100*streamEvents {
					b.Fatalf("%v, %d malformed, %d bytes", rec.Error, rec.Malformed, w.bytes)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/streamEvents, "ns/event")
		})
	}
	const chunk = `data: {"id":"chatcmpl-0123456789","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o-2024-08-06",` +
		`"choices":[{"index":0,"delta":{"content":" word $N"},"logprobs":null,"finish_reason":null}]$V}` + "\n\n"
	const last = `data: {"id":"chatcmpl-0123456789","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n"
	f("openai", config.TypeOpenAI, repeat("", strings.ReplaceAll(chunk, "$V", ""), last))
	f("openai, varied", config.TypeOpenAI, repeat("", strings.ReplaceAll(chunk, "$V", `,"obfuscation":"x$N"`), last))
	f("azure", config.TypeAzure, repeat("", strings.ReplaceAll(chunk, "$V", ""), last))
	f("claude", config.TypeClaude, repeat(
		"event: message_start\ndata: "+`{"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":1}}}`+"\n\n"+
			"event: content_block_start\ndata: "+`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`+"\n\n",
		"event: content_block_delta\ndata: "+`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" word $N"}}`+"\n\n",
		"event: content_block_stop\ndata: "+`{"type":"content_block_stop","index":0}`+"\n\n"+
			"event: message_delta\ndata: "+`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}`+"\n\n"+
			"event: message_stop\ndata: "+`{"type":"message_stop"}`+"\n\n"))
	const part = `data: {"candidates":[{"content":{"parts":[{"text":" word $N"}],"role":"model"},"index":0$V}],` +
		`"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":15},"modelVersion":"gemini-2.5-flash","responseId":"Wc4RadO4LNmGvdIPq8u5sQ4"}` + "\n\n"
	f("gemini", config.TypeGemini, repeat("", strings.ReplaceAll(part, "$V", ""), strings.ReplaceAll(part, "$V", `,"finishReason":"STOP"`)))
}

// whole answers every request with one JSON text.
type whole struct{ body []byte }

func (c whole) RoundTrip(req *http.Request) (*http.Response, error) {
	_ = req.Body.Close()
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader(c.body)), ContentLength: int64(len(c.body)),
	}, nil
}

// BenchmarkPlain is what relay does for one plain chat of 1 KB each way,
// without HTTP on either side.
func BenchmarkPlain(b *testing.B) {
	answer := `{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"gpt-4o-2024-08-06","choices":[{"index":0,"message":{"role":"assistant","content":"` +
		strings.Repeat("lorem ipsum ", 70) + `","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}`
	question := `{"model":"m","messages":[{"role":"user","content":"` + strings.Repeat("lorem ipsum ", 70) + `"}]}`
	g, rt := benchGateway(b, config.TypeOpenAI, whole{[]byte(answer)})
	user, _ := rt.Keys.Lookup("token-of-the-benchmark")
	var rec Record
	w := &nowhere{header: http.Header{}}
	blank, _ := http.NewRequestWithContext(b.Context(), http.MethodPost, "/", nil)
	var body strings.Reader
	blank.Body, blank.ContentLength = io.NopCloser(&body), int64(len(question))
	b.ReportAllocs()
	for b.Loop() {
		body.Reset(question)
		rec.Reset()
		rec.User, rec.Start = user, time.Now()
		if g.Serve(w, blank, rt, &rec); rec.Error != nil {
			b.Fatal(rec.Error)
		}
	}
}

// benchGateway is a gateway whose model m has one backend that answers as tr does.
func benchGateway(b testing.TB, backendType string, tr http.RoundTripper) (*Gateway, *Runtime) {
	b.Helper()
	g := gatewayOf(b, fmt.Sprintf(`
[providers.up]
base_url = "http://127.0.0.1:1"
backend_type = %q
[models.m]
backends = [{ provider = "up", model = "m1" }]
[users.bench]
token = "token-of-the-benchmark"
`, backendType))
	g.burst = 0 // it is the work that counts
	rt := g.Current()
	rt.upstreams["up"].Transport = tr
	return g, rt
}
