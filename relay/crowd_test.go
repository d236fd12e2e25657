package relay_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// A thousand streams at once, each with a text of its own: none is lost, none
// gets a piece of another's, and all of them are open at the same moment.
func TestThousandStreamsDoNotMix(t *testing.T) {
	const streams, pieces = 1000, 10
	all := make(chan struct{})
	var arrived sync.WaitGroup
	arrived.Add(streams)
	go func() { arrived.Wait(); close(all) }()
	script := func(r *mockllm.Seen) []mockllm.Step {
		arrived.Done()
		_, rest, _ := strings.Cut(string(r.Body), "marker-")
		marker, _, _ := strings.Cut(rest, "!")
		steps := []mockllm.Step{mockllm.SSE(mockllm.Role(), mockllm.Text(marker+":")), mockllm.Wait(all)}
		for i := range pieces {
			steps = append(steps, mockllm.SSE(mockllm.Text(fmt.Sprintf("%s.%d ", marker, i))))
		}
		return append(steps, mockllm.SSE(mockllm.Finish("stop"), mockllm.Done))
	}
	b := start(t, setup{
		scripts: two(script, script), toml: strings.Replace(usual, `strategy = "failover"`, `strategy = "round_robin"`, 1),
		settings: func(s *config.Settings) { s.StreamIdleTimeoutSeconds, s.RequestTimeoutSeconds = 60, 60 },
		provider: func(_ string, p *config.Provider) { p.TimeoutSeconds = 60 },
	})
	var done sync.WaitGroup
	for i := range streams {
		done.Go(func() {
			marker := fmt.Sprintf("m%04d", i)
			want := marker + ":"
			for k := range pieces {
				want += fmt.Sprintf("%s.%d ", marker, k)
			}
			s := b.stream(`{"model":"pool","stream":true,"messages":[{"role":"user","content":"marker-` + marker + `!"}]}`)
			if s.Text != want || s.Error != nil {
				t.Errorf("stream %s: %+v", marker, s)
			}
		})
	}
	finished := make(chan struct{})
	go func() { done.Wait(); close(finished) }()
	select {
	case <-finished:
	case <-time.After(time.Minute):
		t.Fatal("the streams do not end")
	}
	if u1, u2 := b.u["u1"].Count(), b.u["u2"].Count(); u1+u2 != streams || u1 != u2 {
		t.Errorf("%d and %d upstream requests", u1, u2)
	}
}
