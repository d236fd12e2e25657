package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/PPKunOfficial/berry-api/e2e/measure/upstream"
)

// size is how large a configuration is.
type size struct{ users, models, backends int }

// world is what one size is measured in.
type world struct {
	size
	berry, dir, upstream string
	address              string        // of the berry-api that runs
	generation           int           // of its file
	unit                 time.Duration // how long a look at the requests takes
}

const (
	adminToken = "scale-admin-token-00001"
	// perProvider is how many models a provider has, and listed how many
	// backends a model.
	perProvider = 10
	listed      = 5
)

// provider begins a fake provider.
func provider() (address string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	done := make(chan error, 1)
	go func() { done <- upstream.Serve(l) }()
	return l.Addr().String(), func() {
		_ = l.Close()
		<-done
	}, nil
}

// file is where the configuration is.
func (w *world) file() string { return filepath.Join(w.dir, fmt.Sprintf("config-%d.toml", w.backends)) }

// write writes the next generation of the configuration: every weight of the
// first model is another one.
func (w *world) write() error {
	w.generation++
	var b strings.Builder
	fmt.Fprintf(&b, "[settings]\nbind_address = %q\nlog_format = \"json\"\n", w.address)
	for p := range w.backends / perProvider {
		fmt.Fprintf(&b, "\n[providers.p%d]\nbase_url = \"http://%s/v1\"\napi_key = \"provider-key-%d\"\nhealth_check = \"tcp\"\n", p, w.upstream, p)
	}
	backend := func(k, weight int) {
		k %= w.backends
		fmt.Fprintf(&b, "  { provider = \"p%d\", model = \"plain-%d\", weight = %d, priority = %d, input_price = %d.5, output_price = %d.25 },\n",
			k/perProvider, k%perProvider, weight, k%3, 1+k%4, 2+k%7)
	}
	for m := range w.models {
		fmt.Fprintf(&b, "\n[models.m%d]\nname = \"model-%d\"\nstrategy = \"smart_ai\"\nbackends = [\n", m, m)
		for i := range listed {
			weight := 1 + i
			if m == 0 {
				weight = 1 + (i+w.generation)%90
			}
			backend(m*listed+i, weight)
		}
		b.WriteString("]\n")
	}
	// One model has them all.
	b.WriteString("\n[models.wide]\nstrategy = \"smart_ai\"\nbackends = [\n")
	for k := range w.backends {
		backend(k, 1)
	}
	b.WriteString("]\n")
	fmt.Fprintf(&b, "\n[users.admin]\ntoken = %q\ntags = [\"admin\"]\n", adminToken)
	for u := range w.users {
		fmt.Fprintf(&b, "\n[users.u%d]\nname = \"User %d\"\ntoken = \"scale-user-token-%06d\"\nallowed_models = [\"m%d\", \"m%d\"]\n"+
			"rate_limit = { requests_per_minute = 600, requests_per_day = 100000, concurrent_requests = 20 }\n",
			u, u, u, u%w.models, (u+1)%w.models)
	}
	// In one step: a server that watches the file must not find half of it.
	next := w.file() + ".next"
	if err := os.WriteFile(next, []byte(b.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(next, w.file())
}
