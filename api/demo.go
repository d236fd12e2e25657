package api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// DemoOptions say how Demo runs.
type DemoOptions struct {
	Version   string
	Stdout    io.Writer // takes the instructions and the log; needed
	LogFilter string    // as Options.LogFilter
	Address   string    // where to listen, host:port; "": 127.0.0.1:3000, or a free port if that is taken
	Traffic   bool      // keep a trickle of requests going
}

// Demo runs a gateway in front of fake providers in this process, one of each
// wire format, without a file, a key or a network, until ctx ends. Once it
// listens it prints how to use it, with a token that was made for this run.
func Demo(ctx context.Context, o DemoOptions) error {
	providers, closeAll, err := openDemoProviders()
	if err != nil {
		return err
	}
	defer closeAll()
	token := "demo-" + strings.ToLower(rand.Text())
	s, err := listenDemo(o, providers, token)
	if err != nil {
		return err
	}
	base := "http://" + reachable(s.Addr())
	if _, err := io.WriteString(o.Stdout, demoText(base, token)); err != nil {
		return errors.Join(err, s.stopUnused())
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	var traffic sync.WaitGroup
	if o.Traffic {
		traffic.Go(func() { demoTraffic(running, base, token) })
	}
	err = s.Run(running)
	stop()
	traffic.Wait()
	return err
}

// stopUnused runs a server that listens already just to take it down in order.
func (s *Server) stopUnused() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return s.Run(ctx)
}

// demoProvider is a fake provider and how the demonstration describes it.
type demoProvider struct {
	id, key, url string
	behaviour    mockllm.Behaviour
}

func demoProviders() []*demoProvider {
	f := func(id string, b mockllm.Behaviour) *demoProvider { return &demoProvider{id: id, behaviour: b} }
	const ms = time.Millisecond
	return []*demoProvider{
		f("cheap", mockllm.Behaviour{Format: mockllm.OpenAI, Latency: 80 * ms, TokenInterval: 20 * ms, FailureRate: 0.2}),
		f("steady", mockllm.Behaviour{Format: mockllm.Gemini, Latency: 150 * ms, TokenInterval: 30 * ms}),
		f("premium", mockllm.Behaviour{Format: mockllm.Claude, Latency: 60 * ms, TokenInterval: 12 * ms}),
		f("spare", mockllm.Behaviour{Format: mockllm.Azure, Latency: 200 * ms, TokenInterval: 40 * ms}),
	}
}

func openDemoProviders() ([]*demoProvider, func(), error) {
	var servers []*mockllm.Server
	closeAll := func() {
		for _, s := range servers {
			s.Close()
		}
	}
	all := demoProviders()
	for _, p := range all {
		p.key = "fake-" + strings.ToLower(rand.Text())
		p.behaviour.Name, p.behaviour.Key, p.behaviour.Models = p.id, p.key, []string{"fake-" + p.id}
		s, err := mockllm.Open(mockllm.Options{Behaviour: p.behaviour, Keep: mockllm.KeepNone})
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		servers = append(servers, s)
		p.url = s.URL
	}
	return all, closeAll, nil
}

// listenDemo opens the gateway, on another port if the usual one is taken.
func listenDemo(o DemoOptions, providers []*demoProvider, token string) (*Server, error) {
	addresses := []string{"127.0.0.1:3000", "127.0.0.1:0"}
	if o.Address != "" {
		addresses = []string{o.Address}
	}
	var err error
	for _, address := range addresses {
		var cfg *config.Loaded
		cfg, err = config.Parse("demo", []byte(demoConfig(address, providers, token)), config.Env{
			Lookup:   func(string) (string, bool) { return "", false }, // a demonstration is the same everywhere
			ReadFile: func(string) ([]byte, error) { return nil, os.ErrNotExist },
		})
		if err != nil {
			return nil, err
		}
		var s *Server
		s, err = New(cfg, Options{Version: o.Version, Stdout: o.Stdout, LogFilter: o.LogFilter})
		if err != nil {
			return nil, err
		}
		if err = s.Listen(); err == nil {
			return s, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	return nil, err
}

// reachable is the address for a client on this machine.
func reachable(a net.Addr) string {
	t, ok := a.(*net.TCPAddr)
	if ok && t.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", fmt.Sprint(t.Port))
	}
	return a.String()
}

// demoConfig is the configuration of the demonstration: three models that
// balance the same providers in different ways.
func demoConfig(address string, providers []*demoProvider, token string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[settings]\nbind_address = %q\nhealth_check_interval_seconds = 10\nrecovery_check_interval_seconds = 20\ncircuit_breaker_timeout_seconds = 15\n", address)
	for _, p := range providers {
		fmt.Fprintf(&b, "\n[providers.%s]\nbackend_type = %q\nbase_url = %q\napi_key = %q\n", p.id, p.behaviour.Format, p.url, p.key)
	}
	b.WriteString(`
[models.demo-smart]
strategy = "smart_ai"
[[models.demo-smart.backends]]
provider = "cheap"
model = "fake-cheap"
input_price = 0.1
output_price = 0.4
[[models.demo-smart.backends]]
provider = "steady"
model = "fake-steady"
input_price = 0.5
output_price = 1.5
[[models.demo-smart.backends]]
provider = "premium"
model = "fake-premium"
tags = ["premium"]
input_price = 5.0
output_price = 15.0

[models.demo-failover]
strategy = "failover"
[[models.demo-failover.backends]]
provider = "cheap"
model = "fake-cheap"
priority = 1
[[models.demo-failover.backends]]
provider = "steady"
model = "fake-steady"
priority = 2
[[models.demo-failover.backends]]
provider = "spare"
model = "fake-spare"
priority = 3

[models.demo-weighted]
strategy = "weighted_failover"
[[models.demo-weighted.backends]]
provider = "steady"
model = "fake-steady"
weight = 0.7
[[models.demo-weighted.backends]]
provider = "premium"
model = "fake-premium"
weight = 0.2
[[models.demo-weighted.backends]]
provider = "spare"
model = "fake-spare"
weight = 0.1
`)
	fmt.Fprintf(&b, "\n[users.demo]\nname = \"Demo\"\ntoken = %q\ntags = [\"admin\"]\n", token)
	return b.String()
}

// demoText tells what to do with the demonstration.
func demoText(base, token string) string {
	ask := func(flags, body string) string {
		return fmt.Sprintf(`  curl %s%s/v1/chat/completions \
    -H 'Authorization: Bearer %s' \
    -H 'Content-Type: application/json' \
    -d '%s'
`, flags, base, token, body)
	}
	see := func(path, what string) string { return fmt.Sprintf("  %-50s # %s\n", "curl "+base+path, what) }
	return "Berry API, a demonstration: fake providers in this process, one of each wire format: one cheap\n" +
		"and flaky (OpenAI's), one steady (Gemini's), one premium (Claude's), one to spare (Azure's),\n" +
		"behind the models demo-smart, demo-failover and demo-weighted.\n\n" +
		"  Base URL  " + base + "/v1\n" +
		"  API key   " + token + "\n" +
		"  Dashboard " + base + "/status   (sign in with the API key)\n\n" +
		"Ask:\n" + ask("", `{"model":"demo-smart","messages":[{"role":"user","content":"Hello"}]}`) +
		"\nAsk for a stream:\n" + ask("-N ", `{"model":"demo-failover","stream":true,"messages":[{"role":"user","content":"Hello"}]}`) +
		"\nFrom Python, with the OpenAI SDK:\n" + fmt.Sprintf(`  from openai import OpenAI
  client = OpenAI(base_url="%s/v1", api_key="%s")
  for chunk in client.chat.completions.create(model="demo-weighted", stream=True,
          messages=[{"role": "user", "content": "Hello"}]):
      print(chunk.choices[0].delta.content or "", end="", flush=True)
`, base, token) +
		"\nFrom Claude Code, whatever a model's providers speak:\n" + fmt.Sprintf("  ANTHROPIC_BASE_URL=%s ANTHROPIC_AUTH_TOKEN=%s ANTHROPIC_MODEL=demo-smart claude\n", base, token) +
		"\nLook:\n" + see("/health", "is everything well") + see("/metrics", "what the providers did") +
		see("/prometheus", "the same for Prometheus") + see("/smart-ai/weights", "what smart_ai has learned") +
		"  curl " + base + "/admin/backend-health -H 'Authorization: Bearer " + token + "'\n" +
		"\nCtrl-C ends it.\n\n"
}
