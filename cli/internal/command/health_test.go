package command

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// A check that is broken off says nothing about the provider.
func TestHealthCheckInterrupted(t *testing.T) {
	up := mockllm.Start(t, mockllm.Always(mockllm.Hang()))
	file := filepath.Join(t.TempDir(), "config.toml")
	text := fmt.Sprintf("[providers.up]\nbase_url = %q\n", up.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		if _, err := up.Wait(t.Context(), 1); err == nil {
			cancel()
		}
	}()
	var out, errs bytes.Buffer
	code := Run(ctx, Process{
		Args: []string{"health-check", "-c", file}, In: strings.NewReader(""), Out: &out, Err: &errs,
		Getenv: func(string) string { return "" },
	})
	if code != exitNotGood || out.Len() > 0 || errs.String() != "❌ the health check was interrupted\n" {
		t.Errorf("exit code %d, output %q, errors %q", code, out.String(), errs.String())
	}
}

// Many providers are checked at the same time, and shown in order.
func TestHealthCheckInParallel(t *testing.T) {
	const n = 8
	all := make(chan struct{})
	arrived := make(chan struct{}, n)
	up := mockllm.Start(t, func(*mockllm.Seen) []mockllm.Step {
		arrived <- struct{}{}
		return []mockllm.Step{mockllm.Wait(all), mockllm.JSON(200, nil, `{"data":[]}`)}
	})
	go func() {
		for range n {
			<-arrived
		}
		close(all) // none is answered before all have asked
	}()
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "[providers.p%d]\nbase_url = %q\n", n-1-i, up.URL)
	}
	file := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	code := Run(t.Context(), Process{
		Args: []string{"health-check", "-c", file}, In: strings.NewReader(""), Out: &out, Err: &errs,
		Getenv: func(string) string { return "" },
	})
	if code != exitGood || errs.Len() > 0 {
		t.Fatalf("exit code %d, errors %q", code, errs.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	for i := range n {
		if want := fmt.Sprintf("p%d ", i); !strings.HasPrefix(lines[i+1], want) {
			t.Errorf("line %d is %q, want one that begins with %q", i+1, lines[i+1], want)
		}
	}
	if lines[n+1] != "✅ Health check completed" {
		t.Errorf("the last line is %q", lines[n+1])
	}
}
