package relay_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// Images and audio at the addresses of Azure, old and new, and at OpenAI's: a
// fake provider that refuses what the real one refuses answers them all.
func TestMediaProviders(t *testing.T) {
	file, picture := [2]string{"file=a.mp3", "sound"}, [2]string{"image[]=a.png", "picture"}
	f := func(b *berry, path, query string) {
		t.Helper()
		n := 0
		check := func(e dialect.Endpoint, a answer, kind, want string) {
			t.Helper()
			if a.Status != 200 || a.Header.Get("Content-Type") != kind || !strings.Contains(a.Body, want) {
				t.Errorf("%s: %d %s %.300q", e, a.Status, a.Header.Get("Content-Type"), a.Body)
			}
			seen := b.u["u1"].Requests()[n]
			n++
			if want := strings.Replace(path, "OP", e.Path(), 1); seen.Path != want || seen.Query != query {
				t.Errorf("%s: %s?%s, want %s", e, seen.Path, seen.Query, want)
			}
		}
		ask := func(e dialect.Endpoint, more string) answer { return b.postTo(e, `{"model":"az",`+more+`}`) }
		check(dialect.Speech, ask(dialect.Speech, `"input":"hello","voice":"alloy"`), "audio/wav", "WAVEfmt")
		check(dialect.Speech, ask(dialect.Speech, `"input":"hello","voice":"alloy","stream_format":"sse"`), "text/event-stream", "event: speech.audio.done")
		check(dialect.Transcriptions, b.postForm(dialect.Transcriptions, file, [2]string{"model", "az"}), "application/json", `my dep/1 to a.mp3 of 5 bytes`)
		check(dialect.Transcriptions, b.postForm(dialect.Transcriptions, file, [2]string{"response_format", "vtt"}, [2]string{"model", "az"}), "text/plain; charset=utf-8", "WEBVTT")
		check(dialect.Transcriptions, b.postForm(dialect.Transcriptions, file, [2]string{"stream", "true"}, [2]string{"model", "az"}), "text/event-stream", `"transcript.text.done"`)
		check(dialect.Translations, b.postForm(dialect.Translations, [2]string{"model", "az"}, file), "application/json", `"text":`)
		check(dialect.ImageGenerations, ask(dialect.ImageGenerations, `"prompt":"a cat"`), "application/json", `"b64_json":`)
		check(dialect.ImageGenerations, ask(dialect.ImageGenerations, `"prompt":"a cat","stream":true,"partial_images":2`), "text/event-stream", "event: image_generation.completed")
		check(dialect.ImageEdits, b.postForm(dialect.ImageEdits, picture, picture, [2]string{"model", "az"}, [2]string{"prompt", "a cat"}), "application/json", `"b64_json":`)
		check(dialect.ImageEdits, b.postForm(dialect.ImageEdits, picture, [2]string{"stream", "true"}, [2]string{"model", "az"}, [2]string{"prompt", "a cat"}), "text/event-stream", "event: image_edit.completed")
	}
	f(azure(t, "2024-10-21", nil), "/openai/deployments/my%20dep%2F1/OP", "api-version=2024-10-21")
	f(azure(t, "", nil), "/openai/v1/OP", "")
	f(azure(t, "preview", nil), "/openai/v1/OP", "api-version=preview")
	b := start(t, setup{toml: azureModels, ids: []string{"u1"}, behaviours: map[string]mockllm.Behaviour{"u1": {Models: []string{"my dep/1"}}}})
	f(b, "/v1/OP", "")
	a := b.postForm(dialect.ImageVariations, [2]string{"image=a.png", "picture"}, [2]string{"model", "az"})
	var got struct {
		Data []struct {
			B64 []byte `json:"b64_json"`
		}
	}
	if err := json.Unmarshal([]byte(a.Body), &got); err != nil || len(got.Data) != 1 || !strings.HasPrefix(string(got.Data[0].B64), "\x89PNG") {
		t.Errorf("%d %s, %v", a.Status, a.Body, err)
	}
}

// A format without an endpoint says so, whichever its model.
func TestMediaUnsupported(t *testing.T) {
	f := func(kind string, e dialect.Endpoint) {
		t.Helper()
		b := start(t, setup{toml: azureModels, ids: []string{"u1"}, provider: func(_ string, p *config.Provider) { p.BackendType = kind }})
		a := b.postForm(e, [2]string{"image=a.png", "x"}, [2]string{"model", "az"})
		if got := b.fault(a); a.Status != 404 || deref(got.Code) != "unsupported_endpoint" || !strings.Contains(got.Message, "/v1/"+e.Path()) || b.u["u1"].Count() != 0 {
			t.Errorf("%s: %d %s", kind, a.Status, a.Body)
		}
	}
	f(config.TypeAzure, dialect.ImageVariations)
	f(config.TypeClaude, dialect.ImageEdits)
	f(config.TypeGemini, dialect.Transcriptions)
}
