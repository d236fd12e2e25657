package relay_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// formPart is one part of a form, as sent and as received.
type formPart struct {
	Name, FileName, Type string
	Sum                  string // of the value
}

// makeForm writes parts in order and returns the body and its Content-Type.
func makeForm(parts ...[2]string) (body, contentType string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		if name, file, ok := strings.Cut(p[0], "="); ok {
			f, _ := w.CreateFormFile(name, file)
			_, _ = io.WriteString(f, p[1])
			continue
		}
		_ = w.WriteField(p[0], p[1])
	}
	_ = w.Close()
	return b.String(), w.FormDataContentType()
}

// readForm is what a server reads of a form.
func readForm(t *testing.T, r mockllm.Seen) []formPart {
	t.Helper()
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	var all []formPart
	for in := multipart.NewReader(bytes.NewReader(r.Body), params["boundary"]); ; {
		p, err := in.NextPart()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		value, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, formPart{p.FormName(), p.FileName(), p.Header.Get("Content-Type"), sum(string(value))})
	}
}

func sum(s string) string { return fmt.Sprintf("%d:%x", len(s), sha256.Sum256([]byte(s))) }

// noise is n bytes that look like nothing, always the same ones.
func noise(n int) string {
	b := make([]byte, n)
	chacha := rand.NewChaCha8([32]byte{1})
	_, _ = chacha.Read(b)
	return string(b)
}

// send posts to an endpoint and returns the open answer.
func (b *berry) send(ctx context.Context, e dialect.Endpoint, body, contentType string) *http.Response {
	b.t.Helper()
	return b.do(ctx, request{path: "/v1/" + e.Path(), contentType: contentType, body: body})
}

// postForm posts a form and returns the whole answer.
func (b *berry) postForm(e dialect.Endpoint, parts ...[2]string) answer {
	b.t.Helper()
	body, contentType := makeForm(parts...)
	return b.whole(b.send(context.Background(), e, body, contentType))
}

const srt = "1\n00:00:00,000 --> 00:00:01,000\nhello\n"

// A file may come before the field that says where it goes.
func TestTranscriptionForm(t *testing.T) {
	b := start(t, setup{scripts: map[string]mockllm.Script{"u1": always(
		mockllm.Header(200, http.Header{"Content-Type": {"text/plain; charset=utf-8"}, "X-Ratelimit-Remaining-Requests": {"5"}, "Set-Cookie": {"a=b"}}),
		mockllm.Body(srt))}})
	audio := noise(8 << 20)
	a := b.postForm(dialect.Transcriptions, [2]string{"file=a b.mp3", audio}, [2]string{"timestamp_granularities[]", "word"},
		[2]string{"model", "gpt-a"}, [2]string{"timestamp_granularities[]", "segment"}, [2]string{"response_format", "srt"})
	if a.Status != 200 || a.Body != srt || a.Header.Get("Content-Type") != "text/plain; charset=utf-8" ||
		a.Header.Get("X-Content-Type-Options") != "nosniff" || a.Header.Get("X-Ratelimit-Remaining-Requests") != "5" ||
		a.Header.Get("Set-Cookie") != "" || a.Header.Get("X-Berry-Provider") != "u1" || a.Header.Get("X-Berry-Model") != "gpt-a-up" {
		t.Errorf("%d %v %q", a.Status, a.Header, a.Body)
	}
	seen := b.u["u1"].Requests()[0]
	if seen.Path != "/v1/audio/transcriptions" || seen.Chunked || seen.Header.Get("Authorization") != "Bearer provider-key-of-u1" || seen.Header.Get("Accept") != "*/*" {
		t.Errorf("%s %v", seen.Path, seen.Header)
	}
	const octets = "application/octet-stream"
	if d := cmp.Diff([]formPart{
		{"file", "a b.mp3", octets, sum(audio)},
		{"timestamp_granularities[]", "", "", sum("word")},
		{"model", "", "", sum("gpt-a-up")},
		{"timestamp_granularities[]", "", "", sum("segment")},
		{"response_format", "", "", sum("srt")},
	}, readForm(t, seen)); d != "" {
		t.Error(d)
	}
	if r := b.record(0); r.Attempts[0].Kind != loadbalance.Success || !r.Committed || r.Usage != (dialect.Usage{}) {
		t.Errorf("%+v", r)
	}
}

// The parts stay in order, and the pin of an administrator does not go upstream.
func TestImageEditForm(t *testing.T) {
	const pictures = `{"created":1,"model":"gpt-a-up","data":[{"b64_json":"AAAA"}],"usage":{"input_tokens":7,"output_tokens":9,"total_tokens":16,"input_tokens_details":{"image_tokens":3}}}`
	b := start(t, setup{toml: usual + "tags = [\"admin\"]\n", scripts: map[string]mockllm.Script{
		"u2": always(mockllm.JSON(200, nil, pictures)),
	}})
	f := func(parts ...[2]string) {
		t.Helper()
		a := b.postForm(dialect.ImageEdits, parts...)
		if want := strings.Replace(pictures, "gpt-a-up", "pool", 1); a.Status != 200 || a.Body != want || a.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%d %v %q", a.Status, a.Header, a.Body)
		}
		all := b.u["u2"].Requests()
		if d := cmp.Diff([]formPart{
			{"image[]", "1.png", "application/octet-stream", sum("one")},
			{"prompt", "", "", sum("a cat")},
			{"image[]", "2.png", "application/octet-stream", sum("two")},
			{"model", "", "", sum("gpt-b-up")},
		}, readForm(t, all[len(all)-1])); d != "" {
			t.Error(d)
		}
		if r := b.record(len(all) - 1); r.Usage.Input != 7 || r.Usage.Output != 9 || r.Usage.Estimated {
			t.Errorf("%+v", r.Usage)
		}
	}
	pin, one, prompt, two, model := [2]string{"backend", "u2"}, [2]string{"image[]=1.png", "one"}, [2]string{"prompt", "a cat"}, [2]string{"image[]=2.png", "two"}, [2]string{"model", "pool"}
	f(pin, one, prompt, two, model)
	f(one, prompt, pin, two, model)
	f(one, prompt, two, model, pin)
	if n := b.u["u1"].Count(); n != 0 {
		t.Errorf("%d requests to u1", n)
	}
	// The same endpoint takes JSON too.
	a := b.whole(b.send(t.Context(), dialect.ImageEdits, `{"backend":"u2","model":"pool","images":[{"image_url":"x"}]}`, "application/json"))
	all := b.u["u2"].Requests()
	if last := all[len(all)-1]; a.Status != 200 || string(last.Body) != `{"model":"gpt-b-up","images":[{"image_url":"x"}]}` || last.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%d: %s %v", a.Status, last.Body, last.Header)
	}
}

// What two servers could read differently does not go to any.
func TestFormsRefused(t *testing.T) {
	b := start(t, setup{})
	asked := 0
	f := func(e dialect.Endpoint, body, contentType string, status int, code, param, message string) {
		t.Helper()
		a := b.whole(b.send(context.Background(), e, body, contentType))
		got := b.fault(a)
		if a.Status != status || deref(got.Code) != code || deref(got.Param) != param || !strings.Contains(got.Message, message) {
			t.Errorf("%.100q: %d %s", body, a.Status, a.Body)
		}
		asked++
	}
	form := func(code, param, message string, parts ...[2]string) {
		t.Helper()
		body, contentType := makeForm(parts...)
		f(dialect.Transcriptions, body, contentType, 400, code, param, message)
	}
	file, model := [2]string{"file=a.mp3", "x"}, [2]string{"model", "gpt-a"}
	form("invalid_value", "model", "names no model", file)
	form("invalid_value", "model", "model's name", [2]string{"model", ""})
	form("invalid_form", "model", "two fields model", model, file, [2]string{"model", "pool"})
	form("invalid_form", "model", "two fields model", model, model)
	form("invalid_form", "model", "take the field \"Model\"", model, [2]string{"Model", "pool"})
	form("invalid_form", "model", "take the field", [2]string{"model[]", "pool"}, model)
	form("invalid_form", "model", "take the field", [2]string{" model ", "pool"}, model)
	form("invalid_form", "backend", "take the field", [2]string{"BACKEND[0]", "u2"}, model)
	form("invalid_value", "model", "no file", [2]string{"model=m.txt", "gpt-a"})
	form("invalid_value", "model", "UTF-8", [2]string{"model", "gpt\xff"})
	form("invalid_value", "model", "UTF-8", [2]string{"model", "gpt-a\x00"})
	form("invalid_value", "model", "UTF-8", [2]string{"model", "gpt-a\r\n"})
	form("invalid_value", "stream", "true or false", model, [2]string{"stream", "yes"})
	form("invalid_form", "stream", "two fields stream", model, [2]string{"stream", "true"}, [2]string{"stream", "false"})
	form("invalid_form", "null", "1000 parts", slices.Repeat([][2]string{{"x", "y"}}, 1001)...)

	body, contentType := makeForm(file, model)
	f(dialect.Transcriptions, body[:len(body)-10], contentType, 400, "invalid_form", "null", "ends too early")
	f(dialect.Transcriptions, body[:len(body)/2], contentType, 400, "invalid_form", "null", "ends too early")
	f(dialect.Transcriptions, "", contentType, 400, "invalid_form", "null", "ends too early")
	f(dialect.Transcriptions, body+"more", contentType, 400, "invalid_form", "null", "more after its end")
	f(dialect.Transcriptions, "preamble\r\n"+body, contentType, 400, "invalid_form", "null", "does not begin")
	f(dialect.Transcriptions, strings.ReplaceAll(body, "\r\n", "\n"), contentType, 400, "invalid_form", "null", "inside a part")
	f(dialect.Transcriptions, body, contentType+"; boundary=x", 400, "invalid_form", "null", "one boundary")
	f(dialect.Transcriptions, body, contentType+"; charset=utf-7", 400, "invalid_form", "null", "UTF-8")
	f(dialect.Transcriptions, body, "multipart/mixed; boundary=x", 400, "invalid_form", "null", "multipart/form-data")
	f(dialect.Transcriptions, "model=gpt-a", "application/x-www-form-urlencoded", 415, "unsupported_media_type", "null", "multipart/form-data")
	f(dialect.Transcriptions, body, "application/json", 400, "invalid_json", "null", "")
	f(dialect.Speech, body, contentType, 400, "invalid_json", "null", "")
	f(dialect.Chat, body, contentType, 400, "invalid_json", "null", "")
	part := func(header string) string {
		return "--b\r\n" + header + "\r\n\r\nx\r\n--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\ngpt-a\r\n--b--\r\n"
	}
	const multi = "multipart/form-data; boundary=b"
	f(dialect.Transcriptions, part(`Content-Disposition: form-data; name="a"; filename="x\"; name=\"model"`), multi, 400, "invalid_form", "null", "part 1")
	f(dialect.Transcriptions, part("Content-Disposition: form-data; name=\"a\"\r\nX: y\nContent-Disposition: form-data; name=\"model\""), multi, 400, "invalid_form", "null", "part 1")
	f(dialect.Transcriptions, part("Content-Disposition: form-data; name=\"a\"\r\nContent-Type: multipart/mixed; boundary=c"), multi, 400, "invalid_form", "null", "form inside a form")
	f(dialect.Transcriptions, part("Content-Disposition: form-data; name=\"a\"\r\nContent-Length: 70"), multi, 400, "invalid_form", "null", "Content-Length")
	if n := b.u["u1"].Count() + b.u["u2"].Count(); n != 0 {
		t.Errorf("%d of %d went upstream", n, asked)
	}
	if a := b.whole(b.send(context.Background(), dialect.Transcriptions, body, contentType)); a.Status == 400 {
		t.Errorf("the good one: %s", a.Body)
	}
}
