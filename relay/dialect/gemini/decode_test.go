package gemini

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/sse"
)

// A whole answer is what a stream's events say, in a list: each golden stream
// decodes to the same words in one piece.
func TestDecodeGolden(t *testing.T) {
	for _, f := range goldenStreams(t) {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(f), "stream_"), ".txt")
		if name == "junk" || name == "done" || name == "done_early" || strings.HasPrefix(name, "error") && name != "error_null" {
			continue // of a stream only
		}
		t.Run(name, func(t *testing.T) {
			body := inOne(t, f)
			m := &dialect.Meta{Model: []byte(`"public"`)}
			out, usage, err := dialectFor(t).Decode([]byte(body), m)
			if strings.HasPrefix(name, "odd") && strings.HasSuffix(name, "nothing") {
				if err == nil {
					t.Errorf("an answer without content that ended oddly: %s", out)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "answer_"+name+".json", indented(t, []byte(steady(string(out)))))
			if want := run(t, dialectFor(t), strings.NewReader(string(read(t, f))), dialect.Meta{}).usage; want != usage {
				t.Errorf("usage %+v, streamed %+v", usage, want)
			}
			m.DropReasoning = true
			out, _, _ = dialectFor(t).Decode([]byte(body), m)
			if strings.Contains(string(out), "reasoning_content") {
				t.Errorf("reasoning is not left out: %s", out)
			}
		})
	}
}

// inOne is a golden stream's events as one JSON text.
func inOne(t *testing.T, path string) string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r := sse.NewReader(file, 1<<20)
	r.ReadBare()
	var all []string
	for {
		ev, err := r.Next()
		if err != nil {
			break
		}
		all = append(all, string(ev.Data))
	}
	if len(all) == 1 {
		return all[0]
	}
	return "[" + strings.Join(all, ",") + "]"
}

func TestDecodeRefuses(t *testing.T) {
	for _, in := range []string{
		``, `{`, `[]`, `{}`, `{"candidates":[]}`, `"x"`, `{"choices":[]}`,
		`{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}`, "{\"candidates\":[{\"finishReason\":\"STOP\",\"content\":{\"parts\":[{\"text\":\"\xff\"}]}}]}",
	} {
		if out, _, err := dialectFor(t).Decode([]byte(in), &dialect.Meta{Model: []byte(`"m"`)}); err == nil {
			t.Errorf("%s is taken for an answer: %s", in, out)
		}
	}
	_, _, err := dialectFor(t).Decode([]byte(`{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED"}}`), &dialect.Meta{})
	if e, ok := errors.AsType[*apierror.Error](err); !ok || e.Status != 429 {
		t.Errorf("an error inside a 2xx: %v", err)
	}
}

func TestFault(t *testing.T) {
	f := func(status int, body string, want apierror.Error) {
		t.Helper()
		if d := cmp.Diff(&want, dialectFor(t).Fault(status, nil, []byte(body))); d != "" {
			t.Errorf("%s (-want +got):\n%s", body, d)
		}
	}
	client := func(status int, code, message string) apierror.Error {
		return apierror.Error{Status: status, Type: apierror.TypeInvalidRequest, Code: code, Message: message}
	}
	server := func(status int, code, message string) apierror.Error {
		return apierror.Error{Status: status, Type: apierror.TypeServer, Code: code, Message: message}
	}
	f(400, `{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT"}}`, client(400, "invalid_argument", "bad"))
	f(400, `[{"error":{"code":400,"message":"bad","status":"FAILED_PRECONDITION"}}]`, client(400, "failed_precondition", "bad"))
	f(400, `{"error":{"message":"range","status":"OUT_OF_RANGE"}}`, client(400, "out_of_range", "range"))
	f(400, `{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}`,
		client(401, "invalid_argument", "API key not valid."))
	f(401, `{"error":{"message":"who","status":"UNAUTHENTICATED"}}`, client(401, "unauthenticated", "who"))
	f(403, `{"error":{"message":"no","status":"PERMISSION_DENIED"}}`, client(403, "permission_denied", "no"))
	f(404, `{"error":{"message":"where","status":"NOT_FOUND"}}`, client(404, "model_not_found", "where"))
	limited := client(429, "resource_exhausted", "slow")
	limited.RetryAfter = 39500 * time.Millisecond
	f(429, `{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED","details":[{"@type":"q"},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"39.5s"}]}}`, limited)
	f(500, `{"error":{"message":"oh","status":"INTERNAL"}}`, server(500, "internal", "oh"))
	f(500, `{"error":{"message":"oh","status":"UNKNOWN"}}`, server(500, "unknown", "oh"))
	f(503, `{"error":{"message":"busy","status":"UNAVAILABLE"}}`, server(503, "unavailable", "busy"))
	f(504, `{"error":{"message":"late","status":"DEADLINE_EXCEEDED"}}`, server(504, "deadline_exceeded", "late"))
	f(502, `<html>bad</html>`, server(502, "", "the provider answered with status 502 and no readable error"))
	f(418, `{"error":{"message":"tea","status":"TEAPOT"}}`, client(418, "teapot", "tea"))
	f(400, `{"error":"text"}`, client(400, "", "text"))
	f(400, `{"error":{"message":"The input token count (9) exceeds the maximum number of tokens allowed (8).","status":"INVALID_ARGUMENT"}}`,
		client(400, "context_length_exceeded", "The input token count (9) exceeds the maximum number of tokens allowed (8)."))
	if e := dialectFor(t).Fault(500, nil, []byte(`{"error":{"message":"`+strings.Repeat("é", maxMessage)+`"}}`)); len(e.Message) > maxMessage {
		t.Errorf("a message of %d bytes", len(e.Message))
	}
}

// What Gemini said beside a call comes back with it, whether or not the client
// kept it.
func TestSignaturesComeBack(t *testing.T) {
	d := dialectFor(t)
	r := run(t, d, strings.NewReader(string(read(t, "testdata/stream_thought_text_calls.txt"))), dialect.Meta{})
	ids := madeUp.FindAllString(r.out, -1)
	if len(ids) != 2 {
		t.Fatalf("ids %v", ids)
	}
	f := func(d *Dialect, extra, want string) {
		t.Helper()
		req, _, err := encode(d, "gemini-3-flash", `{"messages":[{"role":"user","content":"a"},{"role":"assistant","tool_calls":[{`+ids[0]+extra+`,"function":{"name":"f","arguments":"{}"}}]}]}`)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := req.GetBody()
		var got strings.Builder
		buf := make([]byte, 4096)
		n, _ := body.Read(buf)
		got.Write(buf[:n])
		if !strings.Contains(got.String(), want) {
			t.Errorf("%s, want %s in it", got.String(), want)
		}
	}
	f(d, ``, `{"functionCall":{"id":"fc-1","name":"f","args":{}},"thoughtSignature":"c2lnbmF0dXJl"}`)
	f(dialectFor(t), ``, `{"functionCall":{"name":"f","args":{}},"thoughtSignature":"`+dummySignature+`"}`)
	f(dialectFor(t), `,"extra_content":{"google":{"thought_signature":"own"}}`, `"thoughtSignature":"own"`)
	f(dialectFor(t), `,"extra_content":{"other":1}`, dummySignature)
}

func TestSignaturesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Signatures
		f := func(id string, want string) {
			t.Helper()
			if got := s.get(id).signature; got != want {
				t.Errorf("%s: %q, want %q", id, got, want)
			}
		}
		s.put(signed{id: "a", signature: "1"})
		s.put(signed{id: "a", signature: "2"})
		s.put(signed{id: "nothing"})
		f("a", "2")
		f("nothing", "")
		time.Sleep(keptFor)
		f("a", "")
		if s.bytes != 0 || s.order.Len() != 0 {
			t.Errorf("%d bytes are kept", s.bytes)
		}
		for i := range keptCalls + 10 {
			s.put(signed{id: "id" + string(rune(i+1000)), signature: "x"})
		}
		if len(s.calls) != keptCalls {
			t.Errorf("%d calls are kept", len(s.calls))
		}
		f("id"+string(rune(1000)), "")
		f("id"+string(rune(1000+keptCalls+9)), "x")
		for i := range 40 {
			s.put(signed{id: string(rune(i + 1)), signature: strings.Repeat("x", 1<<20)})
		}
		if s.bytes > keptBytes || len(s.calls) > 16 {
			t.Errorf("%d bytes of %d calls are kept", s.bytes, len(s.calls))
		}
		s.put(signed{id: "huge", signature: strings.Repeat("x", keptBytes)})
		f("huge", "")
		// The old go when new ones come, also without being asked for.
		time.Sleep(keptFor)
		s.put(signed{id: "new", signature: "x"})
		if len(s.calls) != 1 {
			t.Errorf("%d calls are kept", len(s.calls))
		}
	})
}

func FuzzSchema(f *testing.F) {
	f.Add([]byte(`{"type":["object","null"],"properties":{"a":{"$ref":"#/$defs/x"}},"$defs":{"x":{"allOf":[{"$ref":"#"},{"const":1}]}}}`))
	f.Add([]byte(`{"exclusiveMinimum":1e999,"exclusiveMaximum":-1e999}`))
	f.Add([]byte(`{"anyOf":[{"type":"null"},{"$ref":"#/anyOf/1"}],"items":[true]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		if !validJSON(in) {
			return
		}
		for name, make := range map[string]func([]byte) []byte{
			"json":    func(b []byte) []byte { return jsonSchema(b) },
			"openapi": func(b []byte) []byte { return openAPISchema(b) },
		} {
			if out := make(in); !validJSON(out) {
				t.Errorf("%s of %s is %s", name, in, out)
			}
		}
		takesNothing(in)
	})
}

func validJSON(b []byte) bool { return jsontext.Value(b).IsValid() }
