package mockllm_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// postForm sends a form; a name with = is a file's.
func postForm(t *testing.T, s *mockllm.Server, path string, parts ...[2]string) answer {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		if name, file, ok := strings.Cut(p[0], "="); ok {
			f, _ := w.CreateFormFile(name, file)
			_, _ = io.WriteString(f, p[1])
		} else {
			_ = w.WriteField(p[0], p[1])
		}
	}
	_ = w.Close()
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	req, err := http.NewRequest(http.MethodPost, s.URL+path, &b)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", w.FormDataContentType())
	res, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(got)}
}

// Speech is a file that players take, the same bytes whole and in events.
func TestSpeech(t *testing.T) {
	s := open(t, mockllm.Options{})
	a := ask(t, s, "POST", "/v1/audio/speech", "", `{"model":"m","input":"hello there","voice":{"id":"v"}}`)
	size := binary.LittleEndian.Uint32([]byte(a.Body)[40:44])
	if a.Status != 200 || a.Header.Get("Content-Type") != "audio/wav" || !strings.HasPrefix(a.Body, "RIFF") || int(size) != len(a.Body)-44 ||
		binary.LittleEndian.Uint32([]byte(a.Body)[4:8]) != size+36 || size == 0 {
		t.Errorf("%d %v: %d bytes, %d of sound", a.Status, a.Header, len(a.Body), size)
	}
	e := ask(t, s, "POST", "/v1/audio/speech", "", `{"model":"m","input":"hello there","voice":"v","stream_format":"sse"}`)
	var sound []byte
	for line := range strings.Lines(e.Body) {
		data, ok := strings.CutPrefix(line, "data: ")
		var event struct{ Audio []byte }
		if ok && json.Unmarshal([]byte(data), &event) == nil {
			sound = append(sound, event.Audio...)
		}
	}
	if string(sound) != a.Body || !strings.Contains(e.Body, "event: speech.audio.done\n") {
		t.Errorf("%d bytes in events, want %d", len(sound), len(a.Body))
	}
}

func TestTranscripts(t *testing.T) {
	s := open(t, mockllm.Options{})
	const text = "This is mock listening as m to a b.mp3 of 5 bytes."
	f := func(format, kind, want string) {
		t.Helper()
		a := postForm(t, s, "/v1/audio/transcriptions", [2]string{"file=a b.mp3", "12345"}, [2]string{"model", "m"}, [2]string{"response_format", format})
		if a.Status != 200 || a.Header.Get("Content-Type") != kind || !strings.Contains(a.Body, want) {
			t.Errorf("%s: %d %v %q", format, a.Status, a.Header, a.Body)
		}
	}
	const plain = "text/plain; charset=utf-8"
	f("json", "application/json", `{"text":"`+text+`","usage":{`)
	f("verbose_json", "application/json", `"segments":[{"id":0,"start":0,"end":2,"text":"`+text)
	f("text", plain, text)
	f("srt", plain, "00:00:00,000 --> 00:00:02,000\n"+text)
	f("vtt", plain, "WEBVTT\n\n")
	a := postForm(t, s, "/v1/audio/transcriptions", [2]string{"stream", "true"}, [2]string{"model", "m"}, [2]string{"file=a b.mp3", "12345"})
	if a.Header.Get("Content-Type") != "text/event-stream" || !strings.Contains(a.Body, `{"type":"transcript.text.done","text":"`+text) {
		t.Errorf("%v %q", a.Header, a.Body)
	}
}

func TestPictures(t *testing.T) {
	s := open(t, mockllm.Options{})
	f := func(a answer, n int) {
		t.Helper()
		var got struct {
			Data []struct {
				B64 string `json:"b64_json"`
			}
		}
		if err := json.Unmarshal([]byte(a.Body), &got); err != nil || len(got.Data) != n {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		for _, d := range got.Data {
			if _, err := png.Decode(base64.NewDecoder(base64.StdEncoding, strings.NewReader(d.B64))); err != nil {
				t.Errorf("no picture: %v", err)
			}
		}
	}
	f(ask(t, s, "POST", "/v1/images/generations", "", `{"prompt":"a cat","n":3}`), 3)
	f(postForm(t, s, "/v1/images/edits", [2]string{"image[]=a.png", "x"}, [2]string{"prompt", "y"}, [2]string{"n", "2"}), 2)
	f(postForm(t, s, "/v1/images/variations", [2]string{"image=a.png", "x"}), 1)
	a := ask(t, s, "POST", "/v1/images/generations", "", `{"prompt":"a cat","stream":true,"partial_images":2}`)
	if n := strings.Count(a.Body, "event: image_generation.partial_image\n"); n != 2 || !strings.Contains(a.Body, "event: image_generation.completed\n") {
		t.Errorf("%d partial images: %.500q", n, a.Body)
	}
}

func TestMediaRefusals(t *testing.T) {
	s := open(t, mockllm.Options{Behaviour: mockllm.Behaviour{Models: []string{"m"}}})
	f := func(a answer, status int, want string) {
		t.Helper()
		if a.Status != status || !strings.Contains(a.Body, want) {
			t.Errorf("%d %s, want %d %s", a.Status, a.Body, status, want)
		}
	}
	post := func(path, body string) answer { t.Helper(); return ask(t, s, "POST", "/v1/"+path, "", body) }
	f(post("audio/speech", `{"input":"x","voice":"v"}`), 400, `"model"`)
	f(post("audio/speech", `{"model":"z","input":"x","voice":"v"}`), 404, "model_not_found")
	f(post("audio/speech", `{"model":"m","voice":"v"}`), 400, `"input"`)
	f(post("audio/speech", `{"model":"m","input":"x"}`), 400, `"voice"`)
	f(post("audio/speech", `{"model":"m","voice":"v","input":"`+strings.Repeat("x", 4097)+`"}`), 400, `"input"`)
	f(post("audio/speech", `{`), 400, "not valid")
	f(post("images/generations", `{"model":"m"}`), 400, `"prompt"`)
	f(post("images/generations", `{"model":"m","prompt":"x","n":11}`), 400, `"n"`)
	f(post("images/edits", `{"model":"m","prompt":"x"}`), 400, `"image"`)
	f(post("audio/transcriptions", `{"model":"m"}`), 400, `"file"`)
	f(post("audio/nothing", `{"model":"m"}`), 404, "unknown_url")
	form := func(parts ...[2]string) answer {
		t.Helper()
		return postForm(t, s, "/v1/audio/transcriptions", parts...)
	}
	file, model := [2]string{"file=a.mp3", "x"}, [2]string{"model", "m"}
	f(form(model), 400, `"file"`)
	f(form(model, [2]string{"file", "no file"}), 400, `"file"`)
	f(form(file), 400, `"model"`)
	f(form(file, model, model), 400, "two fields")
	f(form(file, model, [2]string{"backend", "u1"}), 400, "backend")
	f(form(file, model, [2]string{"stream", "maybe"}), 400, "not valid")
	f(form(file, model, [2]string{"response_format", "doc"}), 400, "response_format")
	f(form(file, [2]string{"model", "z"}), 404, "model_not_found")
}
