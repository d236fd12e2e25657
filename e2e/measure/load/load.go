// Package load sends requests to a server on loopback and notes what came of
// each: in a closed loop, where each connection sends its next request when it
// has the answer, or in an open one, where requests are due at a rate whatever
// the server does.
package load

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Request is what is sent, again and again.
type Request struct {
	Address string // host:port
	Body    []byte // of a POST to /v1/chat/completions
	Token   string
	// Events is how many events the answer must have, [DONE] among them; 0: it
	// is one JSON object.
	Events int
}

// Result is what came of the requests.
type Result struct {
	Done    int            // answered as they should be
	Events  int            // in those answers
	Latency []float64      // of those, until the end of the answer, in ms
	First   []float64      // until the first event or byte of it, in ms
	Broken  map[string]int // the others, by what was wrong
	Took    time.Duration
}

// Errors is the number of requests that were not answered as they should be.
func (r *Result) Errors() int {
	n := 0
	for _, k := range r.Broken {
		n += k
	}
	return n
}

// add counts a request that was due at a moment.
func (r *Result) add(due time.Time, a answer, err error) {
	if err != nil {
		r.Broken[err.Error()]++
		return
	}
	const ms = float64(time.Millisecond)
	r.Done++
	r.Events += a.events
	r.Latency = append(r.Latency, float64(a.end.Sub(due))/ms)
	r.First = append(r.First, float64(a.first.Sub(due))/ms)
}

func (r *Result) join(o *Result) {
	r.Done += o.Done
	r.Events += o.Events
	r.Latency = append(r.Latency, o.Latency...)
	r.First = append(r.First, o.First...)
	for k, n := range o.Broken {
		r.Broken[k] += n
	}
}

// Closed keeps a number of connections busy for a time. Each request that was
// begun is waited for.
func Closed(ctx context.Context, q Request, connections int, d time.Duration) Result {
	stop := time.Now().Add(d)
	return crowd(connections, func(_ int, r *Result) {
		c := newClient(q)
		defer c.close()
		for time.Now().Before(stop) && ctx.Err() == nil {
			due := time.Now()
			a, err := c.do()
			r.add(due, a, err)
		}
	})
}

// Once sends one request on each of so many connections, begun within spread.
func Once(ctx context.Context, q Request, connections int, spread time.Duration) Result {
	begin := time.Now()
	return crowd(connections, func(i int, r *Result) {
		due := begin.Add(spread * time.Duration(i) / time.Duration(connections))
		if !sleep(ctx, due) {
			return
		}
		c := newClient(q)
		defer c.close()
		a, err := c.do()
		r.add(due, a, err)
	})
}

// openConnections is how many requests of an open loop may be under way; one
// that finds none free waits, and its time counts from when it was due.
const openConnections = 200

// Open sends requests at a rate per second for a time. The latency of each
// counts from the moment it was due, so that a server that stalls is not
// forgiven what it kept waiting.
func Open(ctx context.Context, q Request, rate float64, d time.Duration) Result {
	begin := time.Now()
	total := int(rate * d.Seconds())
	dues := make(chan time.Time, total)
	for i := range total {
		dues <- begin.Add(time.Duration(float64(i) / rate * float64(time.Second)))
	}
	close(dues)
	return crowd(min(openConnections, total), func(_ int, r *Result) {
		c := newClient(q)
		defer c.close()
		for due := range dues {
			if !sleep(ctx, due) {
				return
			}
			a, err := c.do()
			r.add(due, a, err)
		}
	})
}

// crowd runs so many at the same time and joins what they note.
func crowd(n int, do func(i int, r *Result)) Result {
	begin := time.Now()
	all := make([]Result, n)
	var wg sync.WaitGroup
	for i := range all {
		all[i].Broken = map[string]int{}
		wg.Go(func() { do(i, &all[i]) })
	}
	wg.Wait()
	sum := Result{Broken: map[string]int{}, Took: time.Since(begin)}
	for i := range all {
		sum.join(&all[i])
	}
	return sum
}

// sleep waits until the moment; it is false when ctx ended first.
func sleep(ctx context.Context, until time.Time) bool {
	if d := time.Until(until); d > 0 {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
	}
	return ctx.Err() == nil
}

// Chat returns the body of a chat request whose prompt has about so many bytes.
func Chat(model string, size int) []byte { return body(model, "false", size) }

// Stream is Chat for an answer that is streamed.
func Stream(model string, size int) []byte { return body(model, "true", size) }

func body(model, stream string, size int) []byte {
	const text = "The quick brown fox jumps over the lazy dog. "
	prompt := make([]byte, 0, size+len(text))
	for len(prompt) < size {
		prompt = append(prompt, text...)
	}
	return fmt.Appendf(nil, `{"model":%q,"stream":%s,"temperature":0.7,"max_tokens":256,"messages":[`+
		`{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":%q}]}`, model, stream, prompt)
}
