package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/PPKunOfficial/berry-api/api"
	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// The intervals are short so that nobody has to wait; the defaults are 30 s
// and 120 s.
const configuration = `
[settings]
bind_address = "127.0.0.1:0"
health_check_interval_seconds = 1
health_check_timeout_seconds = 1
recovery_check_interval_seconds = 1
circuit_breaker_timeout_seconds = 1

[providers.main]
base_url = %q
[providers.spare]
base_url = %q
[providers.absent]
base_url = %q

[models.chat]
strategy = "smart_weighted_failover"
[[models.chat.backends]]
provider = "main"
model = "mock-model"
weight = 0.7
[[models.chat.backends]]
provider = "spare"
model = "mock-model"
weight = 0.3
[[models.chat.backends]]
provider = "absent"
model = "mock-model"
weight = 0.3

[users.demo]
token = "a-token-for-the-demo-only"
tags = ["admin"]
`

const token = "a-token-for-the-demo-only"

// provider is a fake one that works.
func provider(name string) mockllm.Behaviour {
	return mockllm.Behaviour{Name: name, Latency: 20 * time.Millisecond}
}

// broken is one that answers everything with an error.
func broken(b mockllm.Behaviour) mockllm.Behaviour {
	b.Outage = http.StatusServiceUnavailable
	return b
}

// world is the providers and the gateway.
type world struct {
	story       *story
	main, spare *mockllm.Server
	url         string // of the gateway
	close       func() error
}

// open starts everything in this process.
func open(ctx context.Context, s *story) (*world, error) {
	w := &world{story: s}
	var err error
	if w.main, err = mockllm.Open(mockllm.Options{Behaviour: provider("main"), Keep: mockllm.KeepNone}); err != nil {
		return nil, err
	}
	if w.spare, err = mockllm.Open(mockllm.Options{Behaviour: provider("spare"), Keep: mockllm.KeepNone}); err != nil {
		w.main.Close()
		return nil, err
	}
	server, err := w.gateway()
	if err != nil {
		w.main.Close()
		w.spare.Close()
		return nil, err
	}
	w.url = "http://" + server.Addr().String()
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	w.close = func() error {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		err := <-done
		w.main.Close()
		w.spare.Close()
		return err
	}
	return w, nil
}

// gateway builds the server and opens its port.
func (w *world) gateway() (*api.Server, error) {
	nowhere, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	absent := "http://" + nowhere.Addr().String()
	if err := nowhere.Close(); err != nil {
		return nil, err
	}
	text := fmt.Sprintf(configuration, w.main.URL, w.spare.URL, absent)
	cfg, err := config.Parse("demo", []byte(text), config.Env{Lookup: func(string) (string, bool) { return "", false }})
	if err != nil {
		return nil, err
	}
	server, err := api.New(cfg, api.Options{Observer: w.story})
	if err != nil {
		return nil, err
	}
	return server, server.Listen()
}

// call asks the gateway for something.
func (w *world) call(ctx context.Context, method, path, body string) (int, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, w.url+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// traffic sends so many chats, one after the other, and tells who answered.
func (w *world) traffic(ctx context.Context, n int) error {
	for range n {
		_, _, err := w.call(ctx, http.MethodPost, "/v1/chat/completions",
			`{"model": "chat", "messages": [{"role": "user", "content": "Hello"}]}`)
		if err != nil {
			return err
		}
	}
	w.story.tally()
	return nil
}

// health is what an administrator sees of a backend.
type health struct {
	Provider  string
	Healthy   bool
	Breaker   string
	Stage     int     `json:"recovery_stage_percent"`
	LastCheck *string `json:"last_check"`
}

// backends asks for the health of all backends, by provider.
func (w *world) backends(ctx context.Context) (map[string]health, error) {
	status, body, err := w.call(ctx, http.MethodGet, "/admin/backend-health", "")
	if err != nil {
		return nil, err
	}
	var view struct{ Backends map[string]health }
	if err := json.Unmarshal(body, &view); err != nil || status != http.StatusOK {
		return nil, fmt.Errorf("/admin/backend-health: %d %s", status, body)
	}
	all := map[string]health{}
	for _, h := range view.Backends {
		all[h.Provider] = h
	}
	return all, nil
}

// table tells how all backends stand.
func (w *world) table(ctx context.Context) error {
	all, err := w.backends(ctx)
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		verdict := "healthy"
		if !all[id].Healthy {
			verdict = "unhealthy"
		}
		w.story.say("%-6s  %-9s  breaker %s", id, verdict, all[id].Breaker)
	}
	return nil
}

// stage is where main stands on its way back, in percent.
func (w *world) stage() int {
	w.story.mu.Lock()
	defer w.story.mu.Unlock()
	return w.story.stage
}

// until waits until the backends are as they should be.
func (w *world) until(ctx context.Context, ok func(map[string]health) bool) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		all, err := w.backends(ctx)
		if err != nil {
			return err
		}
		if ok(all) {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New("the backends did not become what they should")
		case <-tick.C:
		}
	}
}

func allChecked(all map[string]health) bool {
	for _, h := range all {
		if h.LastCheck == nil {
			return false
		}
	}
	return true
}

func healthy(id string) func(map[string]health) bool {
	return func(all map[string]health) bool { return all[id].Healthy }
}
