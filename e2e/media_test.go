package e2e

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"image/png"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/PPKunOfficial/berry-api/e2e/process"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

const mediaKey = "up-media-canary-9"

// recording is what is sent for sound: bytes that no text has.
func recording() []byte { return bytes.Repeat([]byte{0, 1, 0xff, '\r', '\n', '-', '-'}, 150_000) }

// transcript is what a provider of that name hears in it.
func transcript(provider string) string {
	return fmt.Sprintf("This is %s listening as up-%s to a speech.mp3 of %d bytes.", provider, provider, len(recording()))
}

// mediaWorld is Berry in front of an OpenAI and an Azure provider, each with a model of its name. Behind the model
// "pool" the first of two providers is down, behind "cut" speech and pictures break off, which must not open its breaker.
func mediaWorld(t *testing.T) (berry *server, ups map[string]*mockllm.Server) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "[settings]\nbind_address = \"127.0.0.1:0\"\nhealth_check_interval_seconds = 0\ncircuit_breaker_failure_threshold = 100\n[users.client]\ntoken = %q\n", token)
	add := func(name, config string, behaviour mockllm.Behaviour, script mockllm.Script) {
		up := mockllm.Start(t, script)
		behaviour.Name, behaviour.Key, behaviour.Models = name, mediaKey, []string{"up-" + name}
		if err := up.SetBehaviour(behaviour); err != nil {
			t.Fatal(err)
		}
		if ups == nil {
			ups = map[string]*mockllm.Server{}
		}
		ups[name] = up
		fmt.Fprintf(&b, "[providers.%s]\n%sbase_url = %q\napi_key = %q\n[models.%s]\n[[models.%[1]s.backends]]\nprovider = %[1]q\nmodel = \"up-%[1]s\"\n", name, config, up.URL, mediaKey, name)
	}
	add("openai", "", mockllm.Behaviour{}, nil)
	add("azure", "backend_type = \"azure\"\napi_version = \"2024-10-21\"\n", mockllm.Behaviour{Format: mockllm.Azure}, nil)
	add("down", "", mockllm.Behaviour{Outage: 503}, nil)
	add("cut", "", mockllm.Behaviour{}, func(r *mockllm.Seen) []mockllm.Step {
		if strings.HasSuffix(r.Path, "/speech") {
			return []mockllm.Step{mockllm.Header(200, http.Header{"Content-Type": {"audio/mpeg"}}), mockllm.Body("some"), mockllm.Cut()}
		}
		return []mockllm.Step{mockllm.SSE(`{"type":"image_generation.partial_image","b64_json":"AA","partial_image_index":0}`), mockllm.Cut()}
	})
	for i, name := range []string{"down", "openai"} {
		if i == 0 {
			b.WriteString("[models.pool]\nstrategy = \"failover\"\n")
		}
		fmt.Fprintf(&b, "[[models.pool.backends]]\nprovider = %q\nmodel = \"up-%[1]s\"\npriority = %d\n", name, i)
	}
	return startServer(t, b.String(), []string{token, mediaKey}), ups
}

// TestGoMedia runs the OpenAI SDK for Go on images and audio.
func TestGoMedia(t *testing.T) {
	berry, ups := mediaWorld(t)
	c := connect(berry, token)
	file := func(name string) io.Reader { return openai.File(bytes.NewReader(recording()), name, "audio/mpeg") }
	for _, model := range []string{"openai", "azure", "pool"} {
		hears := strings.Replace(model, "pool", "openai", 1)
		t.Run(model, func(t *testing.T) {
			ctx := within(t)
			text, err := c.Audio.Transcriptions.New(ctx, openai.AudioTranscriptionNewParams{
				File: file("a speech.mp3"), Model: model, TimestampGranularities: []string{"word", "segment"},
			})
			if err != nil {
				t.Fatal(describe(err))
			}
			equal(t, "transcript", text.Text, transcript(hears))
			all := ups[hears].Requests()
			if sent := string(all[len(all)-1].Body); strings.Count(sent, `name="timestamp_granularities[]"`) != 2 {
				t.Errorf("timestamp_granularities in %.300q", sent[max(0, len(sent)-600):])
			}
			verbose, err := c.Audio.Transcriptions.New(ctx, openai.AudioTranscriptionNewParams{File: file("a speech.mp3"), Model: model, ResponseFormat: openai.AudioResponseFormatVerboseJSON})
			if err != nil || len(verbose.Segments) != 1 {
				t.Errorf("%+v, %v", verbose, err)
			}
			events := c.Audio.Transcriptions.NewStreaming(ctx, openai.AudioTranscriptionNewParams{File: file("a speech.mp3"), Model: model})
			var pieces, done string
			for events.Next() {
				pieces += events.Current().Delta
				if events.Current().Type == "transcript.text.done" {
					done = events.Current().Text
				}
			}
			if events.Err() != nil || pieces != transcript(hears) || done != pieces {
				t.Errorf("%q, %q, %v", pieces, done, events.Err())
			}

			speech, err := c.Audio.Speech.New(ctx, openai.AudioSpeechNewParams{
				Input: "hello there", Model: model, Voice: openai.AudioSpeechNewParamsVoiceUnion{OfString: openai.String("alloy")},
			})
			if err != nil {
				t.Fatal(describe(err))
			}
			sound, err := io.ReadAll(speech.Body)
			speech.Body.Close()
			if err != nil || speech.Header.Get("Content-Type") != "audio/wav" || !bytes.HasPrefix(sound, []byte("RIFF")) || len(sound) != 44+400*len("hello there") {
				t.Errorf("%v: %d bytes, %v", speech.Header, len(sound), err)
			}

			images, err := c.Images.Generate(ctx, openai.ImageGenerateParams{Prompt: "a cat", Model: model, N: openai.Int(2)})
			if err != nil {
				t.Fatal(describe(err))
			}
			equal(t, "images", len(images.Data), 2)
			decodes(t, images.Data[1].B64JSON)
			edited, err := c.Images.Edit(ctx, openai.ImageEditParams{
				Image: openai.ImageEditParamsImageUnion{OfFileArray: []io.Reader{file("1.png"), file("2.png")}}, Prompt: "a dog", Model: model,
			})
			if err != nil {
				t.Fatal(describe(err))
			}
			decodes(t, edited.Data[0].B64JSON)
			drawn := c.Images.GenerateStreaming(ctx, openai.ImageGenerateParams{Prompt: "a cat", Model: model, PartialImages: openai.Int(2)})
			var kinds []string
			for drawn.Next() {
				kinds = append(kinds, strings.TrimPrefix(drawn.Current().Type, "image_generation."))
				decodes(t, drawn.Current().B64JSON)
			}
			if got := strings.Join(kinds, " "); drawn.Err() != nil || got != "partial_image partial_image completed" {
				t.Errorf("%s, %v", got, drawn.Err())
			}
		})
	}
	if ups["down"].Count() == 0 {
		t.Error("the provider that is down was not asked")
	}

	// What breaks off is an error to the client, never a short file or a stream that just ends.
	speech, err := c.Audio.Speech.New(within(t), openai.AudioSpeechNewParams{Input: "x", Model: "cut", Voice: openai.AudioSpeechNewParamsVoiceUnion{OfString: openai.String("alloy")}})
	if err != nil {
		t.Fatal(describe(err))
	}
	defer speech.Body.Close()
	if got, err := io.ReadAll(speech.Body); string(got) != "some" || err == nil {
		t.Errorf("cut speech: %q, %v", got, err)
	}
	drawn := c.Images.GenerateStreaming(within(t), openai.ImageGenerateParams{Prompt: "x", Model: "cut"})
	n := 0
	for drawn.Next() {
		n++
	}
	if n != 1 || drawn.Err() == nil || !strings.Contains(drawn.Err().Error(), "broke") {
		t.Errorf("cut pictures: %d, %v", n, drawn.Err())
	}
	var fault *openai.Error
	_, err = c.Audio.Transcriptions.New(within(t), openai.AudioTranscriptionNewParams{File: file("a.mp3"), Model: "nope"}, option.WithMaxRetries(0))
	if !errors.As(err, &fault) || fault.StatusCode != http.StatusNotFound || fault.Code != "model_not_found" {
		t.Errorf("an unknown model: %v", err)
	}
}

func decodes(t *testing.T, picture string) {
	t.Helper()
	if _, err := png.Decode(base64.NewDecoder(base64.StdEncoding, strings.NewReader(picture))); err != nil {
		t.Errorf("no picture: %v", err)
	}
}

// TestNodeMedia runs the OpenAI SDK for JavaScript on images and audio.
func TestNodeMedia(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	if _, err := os.Stat("node/node_modules/openai"); err != nil {
		t.Skip("npm's openai is not installed: run npm ci in e2e/node")
	}
	berry, ups := mediaWorld(t)
	for _, model := range []string{"openai", "azure", "pool"} {
		t.Run(model, func(t *testing.T) {
			cmd := exec.CommandContext(within(t), node, "node/media.mjs")
			cmd.Stdin = bytes.NewReader(recording())
			cmd.Env = process.BareEnv("BERRY_URL="+berry.baseURL(), "BERRY_TOKEN="+token, "BERRY_EXPECT="+asJSON(map[string]any{
				"model": model, "transcript": transcript(strings.Replace(model, "pool", "openai", 1)),
			}))
			if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("all cases passed")) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	if ups["down"].Count() == 0 {
		t.Error("the provider that is down was not asked")
	}
}
