package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// leastPause is what a change needs that is left to the file alone: it is quiet
// for 200 ms before it is read.
const leastPause = 500 * time.Millisecond

// rounds is how often the time without reloads, to compare with, and the time
// with them take turns: whatever else the machine does is then in both.
const rounds = 5

// run plays the whole.
func run(ctx context.Context, o options) (*report, error) {
	up := make([]*mockllm.Server, 2)
	for i := range up {
		s, err := mockllm.Open(mockllm.Options{Script: answer, Keep: mockllm.KeepNone})
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
	r := &report{wanted: o.reloads}
	for round := range rounds {
		quiet, cancel := context.WithTimeout(ctx, o.length/4/rounds)
		g.load(quiet, &r.phases[0], o)
		cancel()
		busy, cancel := context.WithTimeout(ctx, o.length/rounds)
		var changing sync.WaitGroup
		changing.Go(func() { r.reload(ctx, g, o, round) })
		g.load(busy, &r.phases[1], o)
		cancel()
		changing.Wait()
	}
	if ctx.Err() != nil {
		_ = g.stop()
		return nil, ctx.Err()
	}
	return r, g.stop()
}

// load keeps streams open and makes requests at a rate for a while; what has
// begun then is waited for.
func (g *gateway) load(ctx context.Context, p *phase, o options) {
	var work sync.WaitGroup
	for i := range o.streams {
		work.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				p.streamed(g.ask(fmt.Sprintf("stream %d %d", i, n), kindStream))
			}
		})
	}
	tick := time.NewTicker(time.Duration(float64(time.Second) / o.rate))
	defer tick.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		select {
		case <-tick.C:
			work.Go(func() {
				began := time.Now()
				err := g.ask(fmt.Sprintf("request %d", n), kindPlain)
				p.answered(time.Since(began), err)
			})
		case <-ctx.Done():
		}
	}
	work.Wait()
}

// reload makes the changes of a round, evenly spread over its time.
func (r *report) reload(ctx context.Context, g *gateway, o options, round int) {
	tick := time.NewTicker(o.length / time.Duration(o.reloads))
	defer tick.Stop()
	for i := round * o.reloads / rounds; i < (round+1)*o.reloads/rounds; i++ {
		if i%10 == 9 {
			r.bad(g.refuse())
		}
		r.change(g.change(ctx, i))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// answer is what the fake providers say: to a stream a word at a time, for a
// second and a half, and at once to the rest.
func answer(r *mockllm.Seen) []mockllm.Step {
	if r.Method != http.MethodPost {
		return nil
	}
	said := echo(string(r.Body))
	if !strings.Contains(string(r.Body), `"stream":true`) {
		return []mockllm.Step{mockllm.JSON(200, nil, fmt.Sprintf(
			`{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":%q},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`, said))}
	}
	chunk := func(delta, finish string) string {
		return fmt.Sprintf(`{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":%s,"finish_reason":%s}]}`, delta, finish)
	}
	steps := []mockllm.Step{mockllm.SSE(chunk(`{"role":"assistant","content":""}`, "null"))}
	for range words {
		steps = append(steps, mockllm.SSE(chunk(fmt.Sprintf(`{"content":%q}`, said+" "), "null")), mockllm.Sleep(50*time.Millisecond))
	}
	return append(steps, mockllm.SSE(chunk(`{}`, `"stop"`), mockllm.Done), mockllm.EOF())
}

// words is how often a streamed answer says what it was told.
const words = 30

// echo finds what a request says, so that no answer can be taken for another's.
func echo(body string) string {
	_, after, _ := strings.Cut(body, "say ")
	said, _, _ := strings.Cut(after, `"`)
	return said
}
