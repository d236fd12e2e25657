package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/PPKunOfficial/berry-api/e2e/process"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

type options struct {
	berry  string
	length time.Duration
	rate   float64
}

const token = "soak-client-token-0001"

// run plays the whole soak.
func run(ctx context.Context, o options) (*report, error) {
	a := &provider{rand: rand.New(rand.NewPCG(1, 1)), counts: map[string]int{}}
	b := &provider{rand: rand.New(rand.NewPCG(2, 2)), counts: map[string]int{}}
	up := make([]*mockllm.Server, 2)
	for i, p := range []*provider{a, b} {
		s, err := mockllm.Open(mockllm.Options{Script: p.script, Keep: mockllm.KeepNone, Behaviour: mockllm.Behaviour{Models: []string{"m"}}})
		if err != nil {
			return nil, err
		}
		defer s.Close()
		up[i] = s
	}
	g, err := start(o.berry, up)
	if err != nil {
		return nil, err
	}
	r := &report{began: time.Now(), faults: []map[string]int{a.counts, b.counts}, outcomes: map[string]int{}}
	ctx, cancel := context.WithTimeout(ctx, o.length)
	defer cancel()
	var work sync.WaitGroup
	work.Go(func() { r.watch(ctx, g) })
	tick := time.NewTicker(time.Duration(float64(time.Second) / o.rate))
	defer tick.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		select {
		case <-tick.C:
			work.Go(func() { r.note(g.ask(n)) })
		case <-ctx.Done():
		}
	}
	work.Wait()
	r.sample(g) // at rest
	return r, g.stop()
}

// gateway is the berry-api under test.
type gateway struct {
	*process.Berry
	dir    string
	client *http.Client
}

func start(berry string, up []*mockllm.Server) (*gateway, error) {
	dir, err := os.MkdirTemp("", "berry-soak-")
	if err != nil {
		return nil, err
	}
	file, err := process.File(dir, fmt.Sprintf(`
[settings]
bind_address = "127.0.0.1:0"
log_format = "json"
request_timeout_seconds = 2
non_stream_timeout_seconds = 2
stream_idle_timeout_seconds = 2
circuit_breaker_timeout_seconds = 5
[providers.a]
base_url = %q
[providers.b]
base_url = %q
[models.m]
strategy = "smart_ai"
backends = [{ provider = "a", model = "m" }, { provider = "b", model = "m", tags = ["premium"] }]
[users.u]
token = %q
tags = ["admin"]
`, up[0].URL, up[1].URL, token))
	if err != nil {
		return nil, err
	}
	b, err := process.Start(berry, file, process.Options{})
	if err != nil {
		return nil, err
	}
	return &gateway{Berry: b, dir: dir, client: &http.Client{Timeout: time.Minute}}, nil
}

func (g *gateway) stop() error {
	defer os.RemoveAll(g.dir)
	return g.Stop()
}

var errLeft = errors.New("left")

// ask makes the n-th request: two of three are streams, and one of fifty
// clients leaves early. The outcome is a short name.
func (g *gateway) ask(n int) string {
	stream := n%3 != 0
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	if n%50 == 7 {
		time.AfterFunc(60*time.Millisecond, func() { cancel(errLeft) })
	}
	body := fmt.Sprintf(`{"model":"m","stream":%t,"messages":[{"role":"user","content":"request %d"}]}`, stream, n)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.URL()+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return "wrong: " + err.Error()
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := g.client.Do(req)
	if err == nil {
		defer resp.Body.Close()
		var raw []byte
		if raw, err = io.ReadAll(resp.Body); err == nil {
			return judge(resp, string(raw), stream)
		}
	}
	if errors.Is(context.Cause(ctx), errLeft) {
		return "left early"
	}
	return "wrong: " + err.Error()
}

// judge names an answer. Whatever is neither whole, nor an error that says so,
// is wrong.
func judge(resp *http.Response, raw string, stream bool) string {
	switch {
	case resp.StatusCode != http.StatusOK:
		if !strings.Contains(raw, `"error"`) {
			return "wrong: an error without its envelope"
		}
		return fmt.Sprintf("status %d", resp.StatusCode)
	case !stream:
		if !strings.Contains(raw, text) {
			return "wrong: a short answer"
		}
		return "whole"
	}
	said, finished, failed := "", false, false
	for event := range strings.SplitSeq(raw, "\n\n") {
		data, ok := strings.CutPrefix(event, "data: ")
		if !ok || data == mockllm.Done {
			continue
		}
		var c struct {
			Choices []struct {
				Delta        struct{ Content string }
				FinishReason string `json:"finish_reason"`
			}
			Error *struct{ Message string }
		}
		if json.Unmarshal([]byte(data), &c) != nil {
			return "wrong: a frame that is not JSON"
		}
		failed = failed || c.Error != nil
		for _, ch := range c.Choices {
			said += ch.Delta.Content
			finished = finished || ch.FinishReason != ""
		}
	}
	switch {
	case failed && !finished && strings.HasPrefix(text, said):
		return "broken, and said so"
	case finished && !failed && said == text:
		return "whole"
	}
	return "wrong: a stream that is neither whole nor broken"
}
