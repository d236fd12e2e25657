package claude

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/golden"
	"github.com/PPKunOfficial/berry-api/relay/sse"
)

func bound(t testing.TB, change func(p *config.Provider)) *Dialect {
	t.Helper()
	base, err := url.Parse("https://claude.example")
	if err != nil {
		t.Fatal(err)
	}
	p := config.Provider{ID: "c", APIKey: config.NewSecret("up-3"), StreamUsage: true, Reasoning: true}
	if change != nil {
		change(&p)
	}
	d := New(dialect.Upstream{Provider: p, Base: base, UserAgent: "berry"}, &Thoughts{})
	d.now = func() time.Time { return time.Unix(5, 0) }
	return d
}

// asked is a request as relay hands it to a dialect.
func asked(t testing.TB, body, model string, stream bool) *dialect.Request {
	t.Helper()
	b := dialect.NewBody(0)
	b.Set([]byte(body))
	name, err := json.Marshal(model)
	if err != nil {
		t.Fatal(err)
	}
	return &dialect.Request{Body: b, Model: name, Header: http.Header{}, Scan: dialect.Scan{Stream: stream}}
}

func encoded(t testing.TB, d *Dialect, in *dialect.Request) (*http.Request, string, error) {
	t.Helper()
	req, err := d.Encode(context.Background(), in)
	if err != nil {
		return nil, "", err
	}
	body, err := io.ReadAll(req.Body)
	if err != nil || int64(len(body)) != req.ContentLength {
		t.Fatalf("body of %d bytes, length %d, error %v", len(body), req.ContentLength, err)
	}
	return req, string(body), nil
}

// TestRequests walks testdata/requests.json: what a client sends and what the
// provider gets, byte for byte but for white space.
func TestRequests(t *testing.T) {
	raw, err := os.ReadFile("testdata/requests.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name    string
		Model   string // claude-sonnet-4-5 unless given
		In      json.RawMessage
		Out     json.RawMessage
		Dropped []string
		Refused string // the parameter that is refused
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			if c.Model == "" {
				c.Model = "claude-sonnet-4-5"
			}
			in := asked(t, string(c.In), c.Model, strings.Contains(c.Name, "stream"))
			_, got, err := encoded(t, bound(t, nil), in)
			if c.Refused != "" {
				e, ok := errors.AsType[*apierror.Error](err)
				if !ok || e.Status != 400 || e.Param != c.Refused {
					t.Fatalf("got %v (%+v), want a 400 naming %s", err, e, c.Refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var want bytes.Buffer
			if err := json.Compact(&want, c.Out); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want.String(), got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			if d := cmp.Diff(c.Dropped, in.Dropped); d != "" {
				t.Errorf("dropped: -want +got:\n%s", d)
			}
		})
	}
}

// TestAnswers walks testdata/answers.json: a provider's whole answer and what
// the client gets.
func TestAnswers(t *testing.T) {
	raw, err := os.ReadFile("testdata/answers.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name string
		In   json.RawMessage
		Out  json.RawMessage
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			m := &dialect.Meta{Model: []byte(`"asked"`), DropReasoning: strings.Contains(c.Name, "without reasoning"), OlderCalls: strings.Contains(c.Name, "the older form")}
			got, _, err := bound(t, nil).Decode(c.In, m)
			if err != nil {
				t.Fatal(err)
			}
			var want bytes.Buffer
			if err := json.Compact(&want, c.Out); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want.String(), string(got)); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// run decodes a stream as relay does. whole is whether it would be taken for a
// whole answer.
func run(in string, m *dialect.Meta, d *Dialect) (out string, whole bool, err error) {
	dec := d.Stream(m)
	r := sse.NewReader(strings.NewReader(in), 1<<20)
	var dst []byte
	for {
		ev, rerr := r.Next()
		if rerr != nil {
			if whole = dec.Finished(); whole {
				dst = dec.End(dst)
			}
			return string(dst), whole, nil
		}
		var state dialect.State
		if dst, state, err = dec.Event(dst, ev.Name, ev.Data); err != nil {
			return string(dst), false, err
		}
		if state == dialect.End {
			return string(dec.End(dst)), true, nil
		}
	}
}

func metaOf(name string) *dialect.Meta {
	return &dialect.Meta{
		Model: []byte(`"asked"`), WantUsage: !strings.Contains(name, "nousage"), DropReasoning: strings.Contains(name, "noreasoning"),
		OlderCalls: strings.Contains(name, "older_calls"),
	}
}

// short writes chunks as the golden files do: without what is the same in all.
func short(out string) string {
	out = strings.ReplaceAll(out, `data: {"id":"msg_1","object":"chat.completion.chunk","created":5,"model":"asked","choices":[`, "")
	out = strings.ReplaceAll(out, "]}\n\n", "\n")
	return strings.ReplaceAll(out, "}\n\n", "\n")
}

func TestStreams(t *testing.T) {
	for _, g := range golden.Streams(t) {
		t.Run(g.Name, func(t *testing.T) {
			out, whole, err := run(g.In, metaOf(g.Name), bound(t, nil))
			got := short(out)
			switch e, ok := errors.AsType[*apierror.Error](err); {
			case ok:
				got += "error " + e.Message + "\n"
			case err != nil:
				t.Fatal(err)
			case !whole:
				got += "truncated\n"
			}
			if d := cmp.Diff(g.Out, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// TestStreamsCut cuts every stream at every byte: what comes out is a
// beginning of the whole, and it counts as whole only with a finish reason in it.
func TestStreamsCut(t *testing.T) {
	for _, g := range golden.Streams(t) {
		m, d := metaOf(g.Name), bound(t, nil)
		full, _, _ := run(g.In, m, d)
		for i := range len(g.In) {
			out, whole, err := run(g.In[:i], m, d)
			if err != nil {
				continue
			}
			finished := strings.Contains(out, `"finish_reason":"`)
			if whole != finished {
				t.Fatalf("%s cut at %d: whole %v, finish reason %v", g.Name, i, whole, finished)
			}
			if !whole && !strings.HasPrefix(full, out) {
				t.Fatalf("%s cut at %d is no beginning of the whole:\n%s", g.Name, i, out)
			}
		}
	}
}

func FuzzStream(f *testing.F) {
	for _, g := range golden.Streams(f) {
		f.Add([]byte(g.In))
	}
	d := bound(f, nil)
	f.Fuzz(func(t *testing.T, in []byte) {
		out, whole, err := run(string(in), &dialect.Meta{Model: []byte(`"m"`), WantUsage: true}, d)
		finishes := 0
		for i, ev := range strings.Split(strings.TrimSuffix(out, "\n\n"), "\n\n") {
			if out == "" {
				break
			}
			data, ok := strings.CutPrefix(ev, "data: ")
			var c struct {
				ID      string
				Choices []struct {
					Index        int
					Delta        map[string]any
					FinishReason *string `json:"finish_reason"`
				}
			}
			if !ok || strings.Contains(ev, "\n") || json.Unmarshal([]byte(data), &c) != nil || c.ID == "" {
				t.Fatalf("not an event: %q", ev)
			}
			for _, ch := range c.Choices {
				if i == 0 && ch.Delta["role"] != "assistant" {
					t.Errorf("begins with %s", ev)
				}
				if ch.FinishReason != nil {
					finishes++
				}
			}
		}
		if finishes > 1 || whole && err == nil && finishes != 1 {
			t.Errorf("%d finish reasons, whole %v", finishes, whole)
		}
		if len(out) > 400*(len(in)+2) {
			t.Errorf("%d bytes became %d", len(in), len(out))
		}
	})
}
