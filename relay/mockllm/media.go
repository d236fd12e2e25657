package mockllm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// mediaInput is the part of a request about images or sound that an answer depends on.
type mediaInput struct {
	Model          string `json:"model"`
	Prompt         string `json:"prompt"`
	Input          string `json:"input"`
	Voice          any    `json:"voice"` // a name, or an object with an id
	ResponseFormat string `json:"response_format"`
	StreamFormat   string `json:"stream_format"`
	Stream         bool   `json:"stream"`
	N              int    `json:"n"`
	PartialImages  int    `json:"partial_images"`

	files []mediaFile
	form  bool
}

type mediaFile struct {
	field, name string
	size        int
}

// openAIMedia answers all that is about images and sound; nil if it is about something else.
func openAIMedia(b *Behaviour, r *Seen, c openAICall) []Step {
	answer := map[string]func(*Behaviour, mediaInput, openAICall) []Step{
		"images/generations": openAIImages, "images/edits": openAIImages, "images/variations": openAIImages,
		"audio/transcriptions": openAITranscript, "audio/translations": openAITranscript, "audio/speech": openAISpeech,
	}[c.op]
	if answer == nil {
		return nil
	}
	in, err := readMedia(r)
	switch {
	case err != nil:
		return openAIInvalid("", "The body of the request is not valid: "+err.Error())
	case in.Model == "" && strings.HasPrefix(c.op, "images/"):
		in.Model = "dall-e-2" // as the real one has it
	case in.Model == "":
		return openAIInvalid("model", "Missing required parameter: 'model'")
	}
	if !b.has(in.Model) {
		return openAINoModel(in.Model)
	}
	if status := b.failure(c.chats.Add(1)); status != 0 {
		return append([]Step{Sleep(b.Latency)}, openAIFailure(status)...)
	}
	return answer(b, in, c)
}

// readMedia reads a JSON text or a form.
func readMedia(r *Seen) (in mediaInput, err error) {
	kind, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "multipart/form-data" {
		return in, json.Unmarshal(r.Body, &in)
	}
	in.form = true
	for form := multipart.NewReader(bytes.NewReader(r.Body), params["boundary"]); ; {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return in, nil
		}
		if err != nil {
			return in, err
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return in, err
		}
		if part.FileName() != "" {
			in.files = append(in.files, mediaFile{part.FormName(), part.FileName(), len(value)})
		} else if err := in.field(part.FormName(), string(value)); err != nil {
			return in, err
		}
	}
}

// field takes a field of a form.
func (in *mediaInput) field(name, value string) (err error) {
	switch name {
	case "model":
		if in.Model != "" {
			return errors.New("two fields 'model'")
		}
		in.Model = value
	case "prompt":
		in.Prompt = value
	case "response_format":
		in.ResponseFormat = value
	case "stream":
		in.Stream, err = strconv.ParseBool(value)
	case "n":
		in.N, err = strconv.Atoi(value)
	case "partial_images":
		in.PartialImages, err = strconv.Atoi(value)
	case "backend":
		return errors.New("unknown field 'backend'")
	}
	return err
}

// file returns the first file of a field, which may be a list.
func (in *mediaInput) file(field string) (mediaFile, bool) {
	for _, f := range in.files {
		if f.field == field || f.field == field+"[]" {
			return f, true
		}
	}
	return mediaFile{}, false
}

// openAITranscript writes down what somebody might have said.
func openAITranscript(b *Behaviour, in mediaInput, c openAICall) []Step {
	file, ok := in.file("file")
	if !in.form || !ok {
		return openAIInvalid("file", "Missing required parameter: 'file'; send it as multipart/form-data")
	}
	text := fmt.Sprintf("This is %s listening as %s to %s of %d bytes.", b.name(), in.Model, file.name, file.size)
	if in.Stream && c.op == "audio/transcriptions" {
		return transcriptStream(b, text)
	}
	plain := http.Header{"Content-Type": {"text/plain; charset=utf-8"}}
	tokens := tokens(len(strings.Fields(text)))
	var whole Step
	switch in.ResponseFormat {
	case "", "json":
		whole = JSON(http.StatusOK, nil, fmt.Sprintf(`{"text":%s,"usage":%s}`, quote(text), mediaUsage(file.size/1000, tokens)))
	case "verbose_json":
		whole = JSON(http.StatusOK, nil, fmt.Sprintf(`{"task":"transcribe","language":"english","duration":2,"text":%s,"segments":[{"id":0,"start":0,"end":2,"text":%[1]s}],"usage":{"type":"duration","seconds":2}}`, quote(text)))
	case "text":
		whole = JSON(http.StatusOK, plain, text+"\n")
	case "srt":
		whole = JSON(http.StatusOK, plain, "1\n00:00:00,000 --> 00:00:02,000\n"+text+"\n\n")
	case "vtt":
		whole = JSON(http.StatusOK, plain, "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\n"+text+"\n\n")
	default:
		return openAIInvalid("response_format", "Invalid value: "+in.ResponseFormat)
	}
	return []Step{Sleep(b.Latency), whole}
}

func transcriptStream(b *Behaviour, text string) []Step {
	steps := []Step{Sleep(b.Latency)}
	for _, word := range splitWords(text) {
		steps = append(steps, SSE(`{"type":"transcript.text.delta","delta":`+quote(word)+`}`), Sleep(b.TokenInterval))
	}
	return append(steps, SSE(fmt.Sprintf(`{"type":"transcript.text.done","text":%s,"usage":%s}`, quote(text), mediaUsage(10, tokens(len(splitWords(text)))))))
}

func mediaUsage(in, out int) string {
	return fmt.Sprintf(`{"type":"tokens","input_tokens":%d,"output_tokens":%d,"total_tokens":%d}`, in, out, in+out)
}

// named is an event with a name.
func named(name, data string) Step { return Body("event: " + name + "\ndata: " + data + "\n\n") }

// events begins an answer of events.
func events() Step { return Header(http.StatusOK, http.Header{"Content-Type": {"text/event-stream"}}) }

// now is the creation time of an answer.
func now() int64 { return time.Now().Unix() }
