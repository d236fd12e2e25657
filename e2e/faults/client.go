package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// The fixed answer: 60 tokens, 15 ms apart.
const (
	answerTokens = 60
	tokenPause   = 15 * time.Millisecond
)

func answerText(tokens int) string {
	var b strings.Builder
	for i := range tokens {
		fmt.Fprintf(&b, "tok%d ", i)
	}
	return b.String()
}

// answer is what a client got of one request.
type answer struct {
	status   int
	header   http.Header
	raw      string // the body of an answer that is no stream
	text     string
	finishes []string
	errors   []string // messages of error frames
	usage    int      // completion tokens, if they were told
	done     bool
	took     time.Duration
}

// ask makes one streamed request, with a limit far beyond every scenario's.
func (w *world) ask(model string) (*answer, error) {
	body := fmt.Sprintf(`{"model":%q,"stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"go"}]}`, model)
	req, err := http.NewRequest(http.MethodPost, w.url+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	client := http.Client{Timeout: 5 * time.Minute}
	begin := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	a := &answer{status: resp.StatusCode, header: resp.Header}
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		raw, err := io.ReadAll(resp.Body)
		a.raw, a.took = string(raw), time.Since(begin)
		return a, err
	}
	err = a.read(resp.Body)
	a.took = time.Since(begin)
	return a, err
}

func (a *answer) read(body io.Reader) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 32<<20)
	for lines.Scan() {
		data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		if !ok {
			continue
		}
		if string(data) == mockllm.Done {
			a.done = true
			continue
		}
		var c struct {
			Choices []struct {
				Delta        struct{ Content string }
				FinishReason string `json:"finish_reason"`
			}
			Usage *struct {
				Completion int `json:"completion_tokens"`
			}
			Error *struct{ Message string }
		}
		if err := json.Unmarshal(data, &c); err != nil {
			return fmt.Errorf("the client got a frame that is not JSON: %w", err)
		}
		if c.Error != nil {
			a.errors = append(a.errors, c.Error.Message)
		}
		if c.Usage != nil {
			a.usage = c.Usage.Completion
		}
		for _, ch := range c.Choices {
			a.text += ch.Delta.Content
			if ch.FinishReason != "" {
				a.finishes = append(a.finishes, ch.FinishReason)
			}
		}
	}
	return lines.Err()
}

// complete asks and wants the whole answer.
func (w *world) complete() (*answer, error) {
	a, err := w.ask("m")
	switch {
	case err != nil:
		return a, err
	case a.status != http.StatusOK:
		return a, fmt.Errorf("status %d: %s", a.status, a.raw)
	case a.text != answerText(answerTokens), len(a.finishes) != 1, !a.done, len(a.errors) > 0:
		return a, fmt.Errorf("not complete: %d bytes of text, finish reasons %v, [DONE] %v, errors %q", len(a.text), a.finishes, a.done, a.errors)
	}
	return a, nil
}

// from is complete, from the provider that is named.
func (w *world) from(provider string) (*answer, error) {
	a, err := w.complete()
	if err == nil && a.header.Get("X-Berry-Provider") != provider {
		err = fmt.Errorf("the answer is from %q, not %q", a.header.Get("X-Berry-Provider"), provider)
	}
	return a, err
}

// broken asks and wants an answer that says inside the stream that it broke.
func (w *world) broken(tokens int) error {
	a, err := w.ask("m")
	switch {
	case err != nil:
		return err
	case a.text != answerText(tokens), len(a.errors) != 1, len(a.finishes) > 0:
		return fmt.Errorf("%d bytes of text, finish reasons %v, errors %q; want %d bytes, none and one", len(a.text), a.finishes, a.errors, len(answerText(tokens)))
	}
	return nil
}
