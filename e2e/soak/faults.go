package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// The mix of faults. A provider is good for most requests; each fault comes
// with its own small chance. cut and silent are those that a client must see
// when there is no resume: they strike after content.
var mix = []struct {
	name   string
	chance float64
	steps  func(stream bool) []mockllm.Step
}{
	{"500", 0.02, func(bool) []mockllm.Step { return refusal(500, nil) }},
	{"503", 0.02, func(bool) []mockllm.Step { return refusal(503, http.Header{"Content-Type": {"text/html"}}) }},
	{"429", 0.01, func(bool) []mockllm.Step { return refusal(429, http.Header{"Retry-After": {"1"}}) }},
	{"reset", 0.01, func(bool) []mockllm.Step { return []mockllm.Step{mockllm.Reset()} }},
	{"hang", 0.002, func(bool) []mockllm.Step { return []mockllm.Step{mockllm.Hang()} }},
	{"error frame first", 0.01, func(bool) []mockllm.Step {
		return []mockllm.Step{mockllm.SSE(mockllm.Role(), `{"error":{"message":"boom"}}`)}
	}},
	{"JSON for a stream", 0.01, func(bool) []mockllm.Step {
		return []mockllm.Step{mockllm.JSON(200, nil, mockllm.Completion(text, 10, pieces))}
	}},
	{"malformed frame", 0.01, func(stream bool) []mockllm.Step {
		return append([]mockllm.Step{mockllm.SSE(mockllm.Role()), mockllm.Body("data: {not json\n\n")}, good(stream)[1:]...)
	}},
	{"no [DONE]", 0.02, func(bool) []mockllm.Step {
		return append(begun(pieces), mockllm.SSE(mockllm.Finish("stop")), mockllm.EOF())
	}},
	{"cut", 0.01, func(bool) []mockllm.Step { return append(begun(pieces/2), mockllm.Cut()) }},
	{"reset inside", 0.01, func(bool) []mockllm.Step { return append(begun(pieces/2), mockllm.Reset()) }},
	{"silent", 0.002, func(bool) []mockllm.Step { return append(begun(pieces/3), mockllm.Hang()) }},
}

const pieces = 20

var text = func() string {
	var b strings.Builder
	for i := range pieces {
		fmt.Fprintf(&b, "word%d ", i)
	}
	return b.String()
}()

func refusal(status int, h http.Header) []mockllm.Step {
	return []mockllm.Step{mockllm.JSON(status, h, mockllm.Fault("no", "server_error", "", ""))}
}

func begun(n int) []mockllm.Step {
	steps := []mockllm.Step{mockllm.SSE(mockllm.Role())}
	for i := range n {
		steps = append(steps, mockllm.Sleep(5*time.Millisecond), mockllm.SSE(mockllm.Text(fmt.Sprintf("word%d ", i))))
	}
	return steps
}

func good(stream bool) []mockllm.Step {
	if !stream {
		return []mockllm.Step{mockllm.Sleep(50 * time.Millisecond), mockllm.JSON(200, nil, mockllm.Completion(text, 10, pieces))}
	}
	return append(begun(pieces), mockllm.SSE(mockllm.Finish("stop"), mockllm.UsageChunk(10, pieces), mockllm.Done))
}

// provider is a script of the mix that counts what it did.
type provider struct {
	mu     sync.Mutex
	rand   *rand.Rand
	counts map[string]int
}

func (p *provider) script(r *mockllm.Seen) []mockllm.Step {
	if !strings.HasSuffix(r.Path, "/chat/completions") {
		return nil
	}
	stream := strings.Contains(string(r.Body), `"stream":true`)
	p.mu.Lock()
	defer p.mu.Unlock()
	u := p.rand.Float64()
	for _, f := range mix {
		if u -= f.chance; u < 0 {
			p.counts[f.name]++
			return f.steps(stream)
		}
	}
	p.counts["good"]++
	return good(stream)
}
