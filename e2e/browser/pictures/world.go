package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

const (
	adminToken  = "pictures-token-of-the-admin"
	userToken   = "pictures-token-of-a-team"
	scriptToken = "pictures-token-of-a-script"
)

// provider is a fake one with its usual speed.
type provider struct {
	server  *mockllm.Server
	model   string
	latency time.Duration
	words   time.Duration // between two
	failing float64
}

type world struct {
	url       string
	providers map[string]*provider
	asking    sync.WaitGroup
}

func openWorld() (*world, error) {
	w := &world{providers: map[string]*provider{
		"openai":   {model: "gpt-4o", latency: 320 * time.Millisecond, words: 14 * time.Millisecond},
		"azure-eu": {model: "gpt-4o", latency: 240 * time.Millisecond, words: 11 * time.Millisecond},
		"reseller": {model: "gpt-4o-mini", latency: 450 * time.Millisecond, words: 20 * time.Millisecond, failing: 0.08},
		"local":    {model: "llama-3.3-70b", latency: 120 * time.Millisecond, words: 30 * time.Millisecond},
	}}
	for name, p := range w.providers {
		var err error
		p.server, err = mockllm.Open(mockllm.Options{Keep: mockllm.KeepNone, Behaviour: p.behaviour(name, 1)})
		if err != nil {
			return nil, err
		}
	}
	return w, nil
}

func (w *world) close() {
	w.asking.Wait()
	for _, p := range w.providers {
		p.server.Close()
	}
}

func (w *world) names() []string {
	var names []string
	for name := range w.providers {
		names = append(names, name)
	}
	return names
}

func (p *provider) behaviour(name string, slower float64) mockllm.Behaviour {
	around := func(d time.Duration) time.Duration {
		return time.Duration(float64(d) * slower * (0.7 + 0.6*rand.Float64()))
	}
	return mockllm.Behaviour{Name: name, Models: []string{p.model}, Latency: around(p.latency), TokenInterval: around(p.words), FailureRate: p.failing}
}

func (w *world) down(names []string) {
	fault := mockllm.Always(mockllm.JSON(503, nil, mockllm.Fault("out of order", "server_error", "", "")))
	for name, p := range w.providers {
		if slices.Contains(names, name) {
			p.server.SetScript(fault)
		} else {
			p.server.SetScript(nil)
		}
	}
}

// play makes requests for a while: more and fewer of them in waves, with the
// reseller down for a part of it and openai slow for another.
func (w *world) play(ctx context.Context, long time.Duration) {
	start := time.Now()
	for ctx.Err() == nil && time.Since(start) < long {
		part := float64(time.Since(start)) / float64(long)
		if part > 0.42 && part < 0.5 {
			w.down([]string{"reseller"})
		} else {
			w.down(nil)
		}
		slower := 1.0
		if part > 0.72 && part < 0.8 {
			slower = 2.5
		}
		w.second(ctx, 2.4+1.5*math.Sin(part*14)+0.6*rand.Float64(), slower)
	}
}

// during plays on with some providers down, until that shows, and meanwhile.
func (w *world) during(ctx context.Context, down []string, look func() error) error {
	w.down(down)
	for range 12 {
		w.second(ctx, 3, 1)
	}
	playing, stop := context.WithCancel(ctx)
	var play sync.WaitGroup
	play.Go(func() {
		for playing.Err() == nil {
			w.second(playing, 3, 1)
		}
	})
	err := look()
	stop()
	play.Wait()
	return err
}

// second is one second with so many requests.
func (w *world) second(ctx context.Context, requests, slower float64) {
	for name, p := range w.providers {
		factor := 1.0
		if name == "openai" {
			factor = slower
		}
		_ = p.server.SetBehaviour(p.behaviour(name, factor)) // it was good when it was opened
	}
	tick := time.NewTicker(time.Duration(float64(time.Second) / requests))
	defer tick.Stop()
	end := time.After(time.Second)
	for {
		select {
		case <-tick.C:
			w.asking.Go(w.ask)
		case <-end:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (w *world) ask() {
	models := []string{"gpt-4o", "gpt-4o", "gpt-4o-mini", "gpt-4o-mini", "llama", "fast", "fast", "gpt-5"}
	token := userToken
	if rand.IntN(6) == 0 {
		token = scriptToken
	}
	model := models[rand.IntN(len(models))]
	if model == "gpt-5" && rand.IntN(4) > 0 { // a model that is not there, now and then
		model = "gpt-4o"
	}
	body := fmt.Sprintf(`{"model":%q,"stream":%t,"messages":[{"role":"user","content":"Question %d"}]}`, model, rand.IntN(3) > 0, rand.IntN(1e6))
	r, err := http.NewRequest(http.MethodPost, w.url+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if res, err := http.DefaultClient.Do(r); err == nil {
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
	}
}
