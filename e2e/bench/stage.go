package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/PPKunOfficial/berry-api/e2e/measure"
	"github.com/PPKunOfficial/berry-api/e2e/measure/load"
	"github.com/PPKunOfficial/berry-api/e2e/measure/upstream"
)

// target is what requests are sent to.
type target struct {
	name   string
	health string // path that answers 200 once it is ready
	start  func(address, provider string) (*measure.Process, error)
}

// The names of the targets. direct is the provider itself: what is left of a
// figure without any gateway.
const (
	direct   = "no gateway"
	baseline = "ReverseProxy"
	gateway  = "Berry"
)

// stage is where the targets run.
type stage struct {
	dir     string
	self    string
	targets []target
}

func newStage(dir, berry string) (*stage, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if berry, err = filepath.Abs(berry); err != nil {
		return nil, err
	}
	s := &stage{dir: dir, self: self}
	s.targets = []target{
		{name: direct},
		{name: baseline, health: "/v1/models", start: func(address, provider string) (*measure.Process, error) {
			return measure.Start(dir, "proxy", self, roleProxy, address, provider)
		}},
		{name: gateway, health: "/readyz", start: func(address, provider string) (*measure.Process, error) {
			file := filepath.Join(dir, "config.toml")
			if err := os.WriteFile(file, []byte(configuration(address, provider)), 0o600); err != nil {
				return nil, err
			}
			return measure.Start(dir, "berry", berry, "--config", file)
		}},
	}
	return s, nil
}

const token = "bench-client-token-0001"

// configuration has everything on that costs something: a token and limits for
// the user, two backends with prices and a strategy that learns, checks, breakers,
// retries, metrics, decision records, and a line of log for each request.
func configuration(address, provider string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[settings]\nbind_address = %q\nlog_format = \"json\"\n", address)
	for _, p := range []string{"a", "b"} {
		fmt.Fprintf(&b, "[providers.%s]\nbase_url = \"http://%s/v1\"\napi_key = \"bench-provider-key\"\n", p, provider)
	}
	for _, m := range upstream.Answers() {
		fmt.Fprintf(&b, "[models.%s]\nstrategy = \"smart_ai\"\nbackends = [\n"+
			"  { provider = \"a\", model = %q, input_price = 1.0, output_price = 2.0 },\n"+
			"  { provider = \"b\", model = %q, input_price = 1.2, output_price = 2.4 },\n]\n", m, m, m)
	}
	fmt.Fprintf(&b, "[users.bench]\ntoken = %q\nrate_limit = { requests_per_minute = 100000000, tokens_per_minute = 1000000000, concurrent_requests = 100000 }\n", token)
	return b.String()
}

// measured is what one run of a workload on a target showed.
type measured struct {
	load.Result
	cpu    time.Duration // of the target while the requests ran
	memory measure.Memory
	ready  time.Duration // from its start
}

// perRequest is the CPU time of a request in us.
func (m *measured) perRequest() float64 {
	if m.Done == 0 {
		return 0
	}
	return float64(m.cpu.Microseconds()) / float64(m.Done)
}

// measure runs a workload on a target that is started for it, with a provider
// of its own.
func (s *stage) measure(ctx context.Context, t target, w workload) (m measured, err error) {
	provider, err := measure.Port()
	if err != nil {
		return m, err
	}
	up, err := measure.Start(s.dir, "provider", s.self, roleProvider, provider)
	if err != nil {
		return m, err
	}
	defer up.Stop()
	if m.ready, err = up.Await(ctx, "http://"+provider+"/v1/models"); err != nil {
		return m, err
	}
	address, p := provider, up
	if t.start != nil {
		if address, err = measure.Port(); err != nil {
			return m, err
		}
		if p, err = t.start(address, provider); err != nil {
			return m, err
		}
		defer p.Stop()
		if m.ready, err = p.Await(ctx, "http://"+address+t.health); err != nil {
			return m, err
		}
	}
	q := load.Request{Address: address, Token: token, Body: w.body, Events: w.events}
	if w.warm > 0 {
		w.play(ctx, q, w.warm)
	}
	before, err := p.CPU()
	if err != nil {
		return m, err
	}
	m.Result = w.play(ctx, q, w.length)
	after, err := p.CPU()
	if err != nil {
		return m, err
	}
	m.cpu = after - before
	m.memory, err = p.Memory()
	return m, err
}

// play sends the workload's requests for a time.
func (w *workload) play(ctx context.Context, q load.Request, d time.Duration) load.Result {
	switch {
	case w.once > 0:
		return load.Once(ctx, q, w.once, time.Second)
	case w.connections > 0:
		return load.Closed(ctx, q, w.connections, d)
	case w.rate > 0:
		return load.Open(ctx, q, w.rate, d)
	}
	pause(ctx, d)
	return load.Result{}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
