package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/PPKunOfficial/berry-api/e2e/process"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// scenario is one fault and what is required of the gateway.
type scenario struct {
	id, fault string
	settings  string // lines of [settings]
	a, b      mockllm.Script
	judge     func(w *world) error
	variants  []variant // played one after the other instead, where there are any
}

// variant is a scenario under other settings.
type variant struct {
	settings string
	judge    func(w *world) error
}

// world is one gateway with its two providers.
type world struct {
	url  string
	a, b *mockllm.Server
}

const token = "faults-client-token-0001"

// play runs the scenario; the result is "" or why it failed.
func (s scenario) play(berry string) string {
	variants := s.variants
	if variants == nil {
		variants = []variant{{s.settings, s.judge}}
	}
	for i, v := range variants {
		if err := s.playOne(berry, v); err != nil {
			text := strings.NewReplacer("|", "/", "\n", " ").Replace(err.Error())
			if len(variants) > 1 {
				text = fmt.Sprintf("part %d: %s", i+1, text)
			}
			return text
		}
	}
	return ""
}

func (s scenario) playOne(berry string, v variant) (err error) {
	w := &world{}
	if w.a, err = mockllm.Open(mockllm.Options{Script: s.a, Behaviour: mockllm.Behaviour{Models: []string{"ma"}}}); err != nil {
		return err
	}
	defer w.a.Close()
	if w.b, err = mockllm.Open(mockllm.Options{Script: s.b, Behaviour: mockllm.Behaviour{Models: []string{"mb"}}}); err != nil {
		return err
	}
	defer w.b.Close()
	stop, err := w.start(berry, v.settings)
	if err != nil {
		return err
	}
	return errors.Join(v.judge(w), stop())
}

// start runs berry-api for this world. stop ends it and wants a clean exit.
func (w *world) start(berry, settings string) (stop func() error, err error) {
	dir, err := os.MkdirTemp("", "berry-faults-")
	if err != nil {
		return nil, err
	}
	file, err := process.File(dir, w.config(settings))
	if err != nil {
		return nil, err
	}
	b, err := process.Start(berry, file, process.Options{})
	if err != nil {
		return nil, err
	}
	w.url = b.URL()
	return func() error {
		defer os.RemoveAll(dir)
		return b.Stop()
	}, nil
}

func (w *world) config(settings string) string {
	return fmt.Sprintf(`
[settings]
bind_address = "127.0.0.1:0"
log_format = "json"
stream_idle_timeout_seconds = 30
max_retries = 2
%s
[providers.a]
base_url = %q
api_key = "key-of-a"
[providers.b]
base_url = %q
api_key = "key-of-b"
[models.m]
strategy = "failover"
backends = [{ provider = "a", model = "ma", priority = 1 }, { provider = "b", model = "mb", priority = 2 }]
[models.guarded]
strategy = "failover"
context_fallback = "long"
backends = [{ provider = "a", model = "ma" }]
[models.long]
backends = [{ provider = "b", model = "mb" }]
[users.u]
token = %q
`, settings, w.a.URL, w.b.URL, token)
}

// chats returns a provider's chat requests, without the health checks.
func chats(s *mockllm.Server) []mockllm.Seen {
	var out []mockllm.Seen
	for _, r := range s.Requests() {
		// A recovery check's chat of one token is no attempt of a request.
		if strings.HasSuffix(r.Path, "/chat/completions") && !bytes.Contains(r.Body, []byte(`"max_tokens":1,`)) {
			out = append(out, r)
		}
	}
	return out
}

// within counts the requests of the first d.
func within(seen []mockllm.Seen, d time.Duration) int {
	n := 0
	for _, r := range seen {
		if r.Arrived.Sub(seen[0].Arrived) <= d {
			n++
		}
	}
	return n
}
