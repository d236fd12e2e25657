package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	// demoPause is the pause between two requests; one is under way at a time.
	demoPause = 700 * time.Millisecond
	// demoPatience bounds one request.
	demoPatience = 30 * time.Second
)

// demoTraffic asks the gateway at base one thing after the other until ctx
// ends: all three models, every other time as a stream.
func demoTraffic(ctx context.Context, base, token string) {
	c := demoClient{&http.Client{Timeout: demoPatience, Transport: &http.Transport{}}, base, token}
	defer c.http.CloseIdleConnections()
	models := []string{"demo-smart", "demo-failover", "demo-weighted"}
	tick := time.NewTimer(demoPause)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		body := fmt.Sprintf(`{"model":%q,"stream":%t,"messages":[{"role":"user","content":"Question %d"}]}`,
			models[i%len(models)], i%2 == 1, i+1)
		// What came of it is what the gateway's views are there to show.
		_ = c.ask(ctx, body)
		tick.Reset(demoPause)
	}
}

type demoClient struct {
	http        *http.Client
	base, token string
}

// ask makes one request and reads its answer to the end.
func (c demoClient) ask(ctx context.Context, body string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Content-Type", "application/json")
	res, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	_, err = io.Copy(io.Discard, res.Body)
	return err
}
