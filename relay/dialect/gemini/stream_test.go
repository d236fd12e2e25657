package gemini

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
	"github.com/PPKunOfficial/berry-api/relay/sse"
)

// ran is what came of a stream.
type ran struct {
	out      string
	state    dialect.State // the weightiest
	finished bool
	usage    dialect.Usage
	fault    *apierror.Error
	dropped  int
}

// run decodes a stream as relay does.
func run(t testing.TB, d *Dialect, in io.Reader, m dialect.Meta) (r ran) {
	t.Helper()
	if m.Model == nil {
		m.Model = []byte(`"public"`)
	}
	dec := d.Stream(&m).(dialect.BareDecoder)
	events := sse.NewReader(in, 1<<20)
	events.ReadBare()
	var out []byte
	for {
		ev, err := events.Next()
		if err != nil {
			break
		}
		var state dialect.State
		if ev.Bare {
			out, state, err = dec.Bare(out, ev.Data)
		} else {
			out, state, err = dec.Event(out, ev.Name, ev.Data)
		}
		if e, ok := errors.AsType[*apierror.Error](err); ok {
			r.fault = e
			break
		} else if err != nil {
			t.Errorf("an error that is no fault: %v", err)
			break
		}
		if state == dialect.Dropped {
			r.dropped++
		}
		r.state = max(r.state, state)
		if state == dialect.End {
			break
		}
	}
	r.finished, r.usage = dec.Finished(), dec.Usage()
	if r.finished && r.fault == nil {
		out = dec.End(out)
	}
	r.out = string(out)
	return r
}

var (
	createdAt = regexp.MustCompile(`"created":[0-9]+`)
	madeUpID  = regexp.MustCompile(`"id":"chatcmpl-[A-Z2-7]+"`)
	madeUp    = regexp.MustCompile(`"id":"call_[0-9a-f]{32}"`)
)

// steady takes out of an answer what differs from run to run.
func steady(s string) string {
	s = createdAt.ReplaceAllString(s, `"created":1`)
	if madeUpID.MatchString(s) { // then the calls' ids are made up too
		s = madeUp.ReplaceAllString(s, `"id":"call_made-up"`)
	}
	return madeUpID.ReplaceAllString(s, `"id":"chatcmpl-made-up"`)
}

func goldenStreams(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/stream_*.txt")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d golden streams: %v", len(files), err)
	}
	return files
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Each file stream_NAME.txt holds what the upstream sent, stream_NAME.out what
// a client that asked for usage got, and what was learnt.
func TestStreamGolden(t *testing.T) {
	for _, f := range goldenStreams(t) {
		name := strings.TrimSuffix(filepath.Base(f), ".txt")
		t.Run(name, func(t *testing.T) {
			in := read(t, f)
			r := run(t, dialectFor(t), bytes.NewReader(in), dialect.Meta{WantUsage: true})
			learnt, err := json.Marshal(map[string]any{"finished": r.finished, "usage": r.usage, "fault": r.fault, "state": r.state, "dropped": r.dropped})
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+".out", steady(r.out)+string(learnt)+"\n")
			valid(t, r)
			// Without usage the same comes, but for the totals.
			plain := run(t, dialectFor(t), bytes.NewReader(in), dialect.Meta{})
			if strings.Contains(plain.out, `"usage"`) || strings.Contains(plain.out, `"choices":[]`) {
				t.Errorf("usage for a client that did not ask:\n%s", plain.out)
			}
			if i := strings.Index(r.out, `"choices":[]`); i >= 0 {
				r.out = r.out[:strings.LastIndex(r.out[:i], "data: ")]
			}
			if d := cmp.Diff(steady(r.out), steady(plain.out)); d != "" {
				t.Errorf("not the same without usage:\n%s", d)
			}
		})
	}
}

// valid checks what every client relies on.
func valid(t testing.TB, r ran) {
	t.Helper()
	ids, finishes, calls, first := map[string]bool{}, 0, 0, true
	if r.out == "" {
		return
	}
	if !strings.HasSuffix(r.out, "\n\n") {
		t.Errorf("the last event is not whole: %q", r.out)
	}
	for event := range strings.SplitSeq(strings.TrimSuffix(r.out, "\n\n"), "\n\n") {
		data, ok := strings.CutPrefix(event, "data: ")
		var c struct {
			ID      string
			Object  string
			Model   string
			Error   json.RawMessage
			Choices []struct {
				Index int
				Delta map[string]json.RawMessage
				// of a chunk's end
				FinishReason *string `json:"finish_reason"`
			}
		}
		if err := json.Unmarshal([]byte(data), &c); err != nil || !ok || strings.Contains(data, "\n") {
			t.Fatalf("event %q: %v", event, err)
		}
		ids[c.ID] = true
		if c.Object != "chat.completion.chunk" || c.Error != nil || c.Model != "public" {
			t.Errorf("event %q", event)
		}
		for _, ch := range c.Choices {
			if first && string(ch.Delta["role"]) != `"assistant"` {
				t.Errorf("the first delta has no role: %q", event)
			}
			first = false
			if ch.FinishReason != nil {
				finishes++
			}
			var tcs []struct {
				Index    int
				ID, Type string
				Function struct{ Name, Arguments string }
			}
			if raw := ch.Delta["tool_calls"]; raw != nil {
				if err := json.Unmarshal(raw, &tcs); err != nil {
					t.Errorf("%q: %v", event, err)
				}
			}
			for _, tc := range tcs {
				switch {
				case tc.ID != "" && (tc.Index != calls || tc.Type != "function" || len(tc.ID) > dialect.MaxToolCallID || ids[tc.ID]):
					t.Errorf("call %d begins as %+v", calls, tc)
				case tc.ID != "":
					ids[tc.ID] = true
					calls++
				case tc.Index != calls-1 || !json.Valid([]byte(tc.Function.Arguments)):
					t.Errorf("arguments of call %d: %+v", calls-1, tc)
				}
			}
		}
	}
	if len(ids)-calls != 1 || ids[""] {
		t.Errorf("ids %v", ids)
	}
	if want := r.finished && r.fault == nil; finishes != map[bool]int{true: 1}[want] {
		t.Errorf("%d finish reasons, finished %v:\n%s", finishes, r.finished, r.out)
	}
}

// A stream that is cut anywhere is never taken for a whole one with less in it.
func TestCutStreams(t *testing.T) {
	for _, f := range goldenStreams(t) {
		if strings.Contains(f, "every_frame") {
			continue // a finish reason with every event tells no end from a cut
		}
		in := read(t, f)
		all := run(t, dialectFor(t), bytes.NewReader(in), dialect.Meta{})
		for n := range in {
			r := run(t, dialectFor(t), bytes.NewReader(in[:n]), dialect.Meta{})
			valid(t, r)
			if r.finished && r.fault == nil && steady(r.out) != steady(all.out) {
				t.Fatalf("%s cut at %d of %d is a success:\n%s\nwhole:\n%s", f, n, len(in), r.out, all.out)
			}
			if !strings.HasPrefix(steady(all.out), steady(r.out)) && !r.finished {
				t.Fatalf("%s cut at %d says something else:\n%s", f, n, r.out)
			}
		}
	}
}

func FuzzStream(f *testing.F) {
	for _, path := range goldenStreams(f) {
		f.Add(read(f, path))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		d := dialectFor(t)
		valid(t, run(t, d, bytes.NewReader(in), dialect.Meta{WantUsage: true}))
		if d.signatures.bytes > keptBytes || len(d.signatures.calls) > keptCalls {
			t.Error("signatures are not bounded")
		}
	})
}

// A text that nests without end must not exhaust the stack.
func TestDeepNestingIsRefused(t *testing.T) {
	if cursor.Valid([]byte(strings.Repeat("[", 8<<20))) {
		t.Error("taken for JSON")
	}
}

// What a provider sends must not fill the memory: a response has few parts.
func TestEndlessPartsAreRefused(t *testing.T) {
	f := func(n int, want dialect.State) {
		t.Helper()
		event := `{"candidates":[{"content":{"parts":[{"text":"a"}` + strings.Repeat(",{}", n) + `]}}]}`
		_, state, err := dialectFor(t).Stream(&dialect.Meta{Model: []byte(`"m"`)}).Event(nil, nil, []byte(event))
		if state != want || err != nil {
			t.Errorf("%d parts: %v, %v", n+1, state, err)
		}
	}
	f(maxParts-1, dialect.Content)
	f(maxParts, dialect.Dropped)
}

// An event that is read by the shape of the one before it says what it would
// say as the first of its stream.
func FuzzShape(f *testing.F) {
	const head, middle, tail = `{"candidates":[{"content":{"parts":[{"text":"`, `"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":`, `,"totalTokenCount":9},"responseId":"r"}`
	event := func(text, tokens string) string { return head + text + middle + tokens + tail }
	f.Add(event("he", "1"), event("llo", "20"))
	f.Add(event("he", "1"), event("", "2"))
	f.Add(event("he", "null"), event(`a\"`, "2"))
	f.Add(event("he", "1"), event("\\", "2"))
	f.Add(event("he", "1"), event("a", "02"))
	f.Add(event("he", "1"), event("\xff", "2"))
	f.Add(event("he", "1"), event(`"},{"text":"b`, "2"))
	f.Add(`{"usageMetadata":{"promptTokenCount":1},"candidates":[{"content":{"parts":[{"text":"a"}]}}]}`, `{"usageMetadata":{"promptTokenCount":2},"candidates":[{"content":{"parts":[{"text":"a"}]}}]}`)
	f.Add(`{"candidates":[{"content":{"parts":[{"text":"a","text":"b"}]}}],"usageMetadata":{"promptTokenCount":1,"promptTokenCount":2}}`, `{"candidates":[{"content":{"parts":[{"text":"a","text":"c"}]}}],"usageMetadata":{"promptTokenCount":1,"promptTokenCount":3}}`)
	f.Fuzz(func(t *testing.T, first, second string) {
		m := &dialect.Meta{Model: []byte(`"m"`)}
		d, fresh := dialectFor(t).Stream(m).(*decoder), dialectFor(t).Stream(m).(*decoder)
		if _, _, err := d.Event(nil, nil, []byte(first)); err != nil || d.out == nil {
			return
		}
		// The same answer, and nothing said in it yet.
		fresh.out, fresh.id, fresh.calls = d.out, d.id, d.calls
		fresh.said, fresh.reason, fresh.blocked, fresh.usage = d.said, d.reason, d.blocked, d.usage
		before := d.textBytes
		got, gotState, gotErr := d.Event(nil, nil, []byte(second))
		want, wantState, wantErr := fresh.Event(nil, nil, []byte(second))
		if string(got) != string(want) || gotState != wantState || (gotErr == nil) != (wantErr == nil) {
			t.Fatalf("%q after %q: %q, state %d, %v; alone %q, state %d, %v", second, first, got, gotState, gotErr, want, wantState, wantErr)
		}
		if d.usage != fresh.usage || d.textBytes-before != fresh.textBytes || d.said != fresh.said || d.reason != fresh.reason {
			t.Fatalf("%q after %q: %+v, alone %+v", second, first, d.usage, fresh.usage)
		}
	})
}

// The shape is used where it fits, and only there.
func TestShape(t *testing.T) {
	d := dialectFor(t).Stream(&dialect.Meta{Model: []byte(`"m"`)}).(*decoder)
	f := func(event string, want bool) {
		t.Helper()
		if _, fits := d.match([]byte(event)); fits != want {
			t.Errorf("%s fits: %v", event, fits)
		}
		if _, _, err := d.Event(nil, nil, []byte(event)); err != nil {
			t.Error(err)
		}
	}
	event := func(parts, tokens string) string {
		return `{"candidates":[{"content":{"parts":[` + parts + `],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":` + tokens + `}}`
	}
	f(event(`{"text":"a"}`, "1"), false)
	f(event(`{"text":"b"}`, "12"), true)
	f("not JSON", false)
	f(event(`{"text":"c"}`, "13"), true)
	f(event(`{"text":"d","thought":true}`, "14"), false)
	f(event(`{"text":"e","thought":true}`, "15"), false) // thoughts are read whole
	f(event(`{"text":"f"}`, "16"), false)
	f(event(`{"text":"g"}`, "17"), true)
	if want := (dialect.Usage{Input: 7, Output: 17}); d.usage != want {
		t.Errorf("%+v", d.usage)
	}
}
