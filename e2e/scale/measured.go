package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/PPKunOfficial/berry-api/e2e/measure"
	"github.com/PPKunOfficial/berry-api/e2e/measure/load"
)

// row is what was measured at one size. Times are in ms.
type row struct {
	size
	bytes                int64 // of the file
	check, ready, reload float64
	rss, heap            float64 // MiB, after the first requests
	pick                 float64 // ns, among all backends
	narrow, wide         float64 // us of CPU for a request to a model of five backends, and to one of all
	calm, during         float64 // p99 of requests, without and during reloads
	pages                map[string]page
}

// page is what a page costs.
type page struct {
	took  float64 // ms
	bytes int
}

// pages lists the pages that an operator's tools ask for.
func pages() []string {
	return []string{"/prometheus", "/metrics", "/admin/model-weights", "/admin/backend-health", "/admin/rate-limit-usage", "/admin/config"}
}

// repeats is how often what takes milliseconds is done. The best time counts:
// what else the machine does can only add to it.
const repeats = 5

// measured measures one size.
func measured(ctx context.Context, w *world) (row, error) {
	r := row{size: w.size, pages: map[string]page{}, pick: picked(w.backends)}
	var err error
	if w.address, err = measure.Port(); err != nil {
		return r, err
	}
	if err := w.write(); err != nil {
		return r, err
	}
	info, err := os.Stat(w.file())
	if err != nil {
		return r, err
	}
	r.bytes = info.Size()
	if r.check, err = w.checked(ctx); err != nil {
		return r, err
	}
	p, err := measure.Start(w.dir, "berry", w.berry, "--config", w.file())
	if err != nil {
		return r, err
	}
	defer p.Stop()
	ready, err := p.Await(ctx, "http://"+w.address+"/readyz")
	if err != nil {
		return r, err
	}
	r.ready = ms(ready)
	for _, step := range []func(context.Context, *measure.Process, *row) error{w.requests, w.memory, w.allPages, w.reloads} {
		if err := step(ctx, p, &r); err != nil {
			return r, err
		}
	}
	return r, nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// checked is how long the program takes to load the file and say that it is good.
func (w *world) checked(ctx context.Context) (float64, error) {
	var took []float64
	for range repeats {
		begin := time.Now()
		out, err := exec.CommandContext(ctx, w.berry, "--check-config", "--config", w.file()).CombinedOutput()
		if err != nil {
			return 0, fmt.Errorf("--check-config: %w\n%s", err, out)
		}
		took = append(took, ms(time.Since(begin)))
	}
	return slices.Min(took), nil
}

// requests measures the CPU of requests to a narrow and to the wide model.
func (w *world) requests(ctx context.Context, p *measure.Process, r *row) error {
	for model, to := range map[string]*float64{"model-0": &r.narrow, "wide": &r.wide} {
		q := load.Request{Address: w.address, Token: adminToken, Body: load.Chat(model, 1000)}
		load.Closed(ctx, q, 8, w.unit/3) // connections, caches
		before, err := p.CPU()
		if err != nil {
			return err
		}
		got := load.Closed(ctx, q, 8, w.unit)
		after, err := p.CPU()
		if err != nil {
			return err
		}
		if got.Errors() > 0 {
			return fmt.Errorf("requests to %s: %v", model, got.Broken)
		}
		*to = float64((after - before).Microseconds()) / float64(got.Done)
	}
	return nil
}

var heapLine = regexp.MustCompile(`(?m)^go_memstats_heap_inuse_bytes (\S+)`)

func (w *world) memory(ctx context.Context, p *measure.Process, r *row) error {
	m, err := p.Memory()
	if err != nil {
		return err
	}
	r.rss = m.Now
	text, err := w.get(ctx, "/prometheus")
	if err != nil {
		return err
	}
	found := heapLine.FindSubmatch(text)
	if found == nil {
		return errors.New("/prometheus does not tell the heap")
	}
	heap, err := strconv.ParseFloat(string(found[1]), 64)
	r.heap = heap / (1 << 20)
	return err
}

func (w *world) allPages(ctx context.Context, _ *measure.Process, r *row) error {
	for _, path := range pages() {
		var took []float64
		n := 0
		for range repeats {
			begin := time.Now()
			text, err := w.get(ctx, path)
			if err != nil {
				return err
			}
			took, n = append(took, ms(time.Since(begin))), len(text)
		}
		r.pages[path] = page{took: slices.Min(took), bytes: n}
	}
	return nil
}

// reloads measures reloads, and requests with and without them at the same time.
func (w *world) reloads(ctx context.Context, _ *measure.Process, r *row) error {
	var err error
	if r.calm, err = w.p99(ctx); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() {
		var err error
		r.during, err = w.p99(ctx)
		ended <- err
	}()
	var took []float64
	for {
		// A look at the server every now and then, not a flood of reloads.
		select {
		case err := <-ended:
			r.reload = slices.Min(took)
			return err
		case <-time.After(200 * time.Millisecond):
		}
		d, err := w.reload(ctx)
		if err != nil {
			<-ended
			return err
		}
		took = append(took, d)
	}
}

// p99 sends 200 requests per second for a while, a few times over, and returns
// the best of the 99th percentiles in ms.
func (w *world) p99(ctx context.Context) (float64, error) {
	const rate = 200
	q := load.Request{Address: w.address, Token: adminToken, Body: load.Chat("model-0", 1000)}
	var all []float64
	for range repeats {
		got := load.Open(ctx, q, rate, w.unit)
		if got.Errors() > 0 {
			return 0, fmt.Errorf("requests beside reloads: %v", got.Broken)
		}
		all = append(all, measure.Quantile(got.Latency, 0.99))
	}
	return slices.Min(all), nil
}

// reload changes the file, asks for a reload and wants that it changed something.
func (w *world) reload(ctx context.Context) (float64, error) {
	if err := w.write(); err != nil {
		return 0, err
	}
	begin := time.Now()
	text, err := w.ask(ctx, http.MethodPost, "/admin/reload-config")
	if err != nil {
		return 0, err
	}
	took := ms(time.Since(begin))
	var answer map[string]any
	if err := json.Unmarshal(text, &answer); err != nil || answer["changed"] == false {
		return 0, fmt.Errorf("the reload changed nothing: %s", text)
	}
	return took, nil
}

func (w *world) get(ctx context.Context, path string) ([]byte, error) {
	return w.ask(ctx, http.MethodGet, path)
}

func (w *world) ask(ctx context.Context, method, path string) ([]byte, error) {
	q, err := http.NewRequestWithContext(ctx, method, "http://"+w.address+path, nil)
	if err != nil {
		return nil, err
	}
	q.Header.Set("Authorization", "Bearer "+adminToken)
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, err
	}
	defer func() { _ = a.Body.Close() }()
	text, err := io.ReadAll(a.Body)
	if err == nil && a.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: status %d: %.300s", method, path, a.StatusCode, text)
	}
	return text, err
}
